//! Curves on which a function of two variables has a given value, by marching squares (W. E. Lorensen,
//! H. E. Cline, "Marching cubes", 1987, in two dimensions).

use std::collections::BTreeMap;

/// An edge of the grid between a point and its neighbour: row, column, and whether the neighbour is in the next row.
type GridEdge = (usize, usize, bool);

/// Numbers on a grid, row by row.
pub(crate) struct Heights {
    values: Vec<f64>,
    columns: usize,
}

impl Heights {
    pub fn new(values: Vec<f64>, columns: usize) -> Self {
        Heights { values, columns }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// Returns the pieces of the curve, as points (column, row). The last point of a closed piece is its first. Cells
    /// with a corner that is not finite are left out.
    pub fn pieces(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        let mut next: BTreeMap<GridEdge, Vec<GridEdge>> = BTreeMap::new();
        let rows = self.values.len() / self.columns;
        for row in 0..rows - 1 {
            for column in 0..self.columns - 1 {
                for (a, b) in self.segments(row, column, level).into_iter().flatten() {
                    next.entry(a).or_default().push(b);
                    next.entry(b).or_default().push(a);
                }
            }
        }
        // Pieces with two ends first, so that a walk along them begins at an end.
        let ends = next.iter().filter(|(_, to)| to.len() == 1).map(|(&edge, _)| edge);
        let starts: Vec<GridEdge> = ends.chain(next.keys().copied()).collect();
        let mut pieces = Vec::new();
        for start in starts {
            let mut piece = vec![self.crossing(start, level)];
            let mut here = start;
            while let Some(there) = next.get_mut(&here).and_then(Vec::pop) {
                let back = next.get_mut(&there).expect("segments are stored at both ends");
                back.swap_remove(back.iter().position(|&edge| edge == here).expect("both ends"));
                piece.push(self.crossing(there, level));
                here = there;
            }
            if piece.len() > 1 {
                pieces.push(piece);
            }
        }
        pieces
    }

    /// Returns the segments of the curve in a cell: none, one or two.
    fn segments(&self, row: usize, column: usize, level: f64) -> [Option<(GridEdge, GridEdge)>; 2] {
        // The corners in a circle, and the edges from each corner to the next.
        let corners = [(0, 0), (0, 1), (1, 1), (1, 0)].map(|(y, x)| self.at(row + y, column + x));
        let edges = [
            (row, column, false),
            (row, column + 1, true),
            (row + 1, column, false),
            (row, column, true),
        ];
        if corners.iter().any(|corner| !corner.is_finite()) {
            return [None, None];
        }
        let above = corners.map(|corner| corner >= level);
        let crossed: Vec<usize> = (0..4).filter(|&i| above[i] != above[(i + 1) % 4]).collect();
        match crossed[..] {
            [a, b] => [Some((edges[a], edges[b])), None],
            [_, _, _, _] => {
                // Opposite corners are above. The mean decides whether they are joined in the cell.
                let joined = corners.iter().map(|corner| corner / 4.0).sum::<f64>() >= level;
                let [around, other] = if joined == above[0] { [0, 2] } else { [3, 1] };
                // Each segment separates a corner from the rest: the corner between two edges.
                let segment = |i: usize| Some((edges[i], edges[(i + 1) % 4]));
                [segment(around), segment(other)]
            }
            _ => [None, None],
        }
    }

    /// Returns the point (column, row) of an edge at which the linear interpolation has this value.
    fn crossing(&self, (row, column, down): GridEdge, level: f64) -> (f64, f64) {
        let from = self.at(row, column);
        let to = if down { self.at(row + 1, column) } else { self.at(row, column + 1) };
        // Halves, so that the difference cannot overflow.
        let share = (level / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
        let (x, y) = (column as f64, row as f64);
        if down { (x, y + share) } else { (x + share, y) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(n: usize, f: impl Fn(f64, f64) -> f64) -> Heights {
        let at = |i: usize| f((i % n) as f64, (i / n) as f64);
        Heights::new((0..n * n).map(at).collect(), n)
    }

    #[test]
    fn a_circle_is_one_closed_piece() {
        let pieces = grid(41, |x, y| (x - 20.0).powi(2) + (y - 20.0).powi(2)).pieces(144.0);
        assert_eq!(pieces.len(), 1);
        let circle = &pieces[0];
        assert_eq!(circle.first(), circle.last());
        assert!(circle.iter().all(|(x, y)| ((x - 20.0).hypot(y - 20.0) - 12.0).abs() < 0.02));
        let length = |ends: &[(f64, f64)]| (ends[1].0 - ends[0].0).hypot(ends[1].1 - ends[0].1);
        let length: f64 = circle.windows(2).map(length).sum();
        assert!((length - std::f64::consts::TAU * 12.0).abs() < 0.1, "{length}");
    }

    #[test]
    fn a_line_is_one_piece_from_border_to_border() {
        let pieces = grid(5, |x, y| x + 2.0 * y).pieces(5.0);
        assert_eq!(pieces.len(), 1);
        assert!(pieces[0].iter().all(|(x, y)| (x + 2.0 * y - 5.0).abs() < 1e-12));
        let mut ends = [pieces[0][0], *pieces[0].last().unwrap()];
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(ends, [(0.0, 2.5), (4.0, 0.5)]);
    }

    /// The hyperbola (x - c)(y - c) = d has two branches, in the quadrants that the sign of d names. Where the grid
    /// is too coarse, the mean of a cell decides.
    #[test]
    fn the_branches_of_a_saddle_do_not_cross() {
        for (d, quadrant) in [(0.1, 1.0), (-0.1, -1.0)] {
            let pieces = grid(4, |x, y| (x - 1.5) * (y - 1.5)).pieces(d);
            assert_eq!(pieces.len(), 2);
            for piece in pieces {
                let product = |(x, y): &(f64, f64)| quadrant * (x - 1.5) * (y - 1.5);
                assert!(piece.iter().all(|at| product(at) > -1e-12), "{piece:?}");
                let sides: Vec<bool> = piece.iter().map(|(x, _)| *x > 1.5).collect();
                assert!(sides.iter().all(|side| *side == sides[0]), "{piece:?}");
            }
        }
    }

    #[test]
    fn levels_beyond_the_values_have_no_piece_and_cells_without_numbers_are_left_out() {
        assert!(grid(4, |x, _| x).pieces(7.0).is_empty());
        assert!(grid(4, |x, _| x).pieces(f64::NAN).is_empty());
        let gap = |x: f64, y: f64| if y == 2.0 { f64::NAN } else { x };
        assert_eq!(grid(6, gap).pieces(1.5).len(), 2);
        let ends = [-f64::MAX, f64::MAX];
        assert_eq!(grid(2, |x, _| ends[x as usize]).pieces(0.0), [[(0.5, 0.0), (0.5, 1.0)]]);
        // Equal corners are at or above their level, so there is no edge between them.
        assert!(grid(3, |_, _| 2.0).pieces(2.0).is_empty());
    }
}
