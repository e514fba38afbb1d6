//! Charts of lines.

use crate::common::Folder;
use wengert_plot::{Chart, Corner, Line, Scale, charts};
use wengert_tensor::Tensor;

fn drawn(list: &[Chart]) -> String {
    let folder = Folder::new();
    charts(list, folder.file("charts.svg")).unwrap();
    folder.svg("charts.svg")
}

#[test]
fn one_chart_fills_a_row_and_several_are_drawn_in_pairs() {
    let chart = |title: &str| Chart::new(title).line(Line::new("line", [(0.0, 1.0), (1.0, 2.0)]));
    for (n, height) in [(0, 320), (1, 320), (2, 320), (3, 640), (4, 640), (5, 960)] {
        let titles: Vec<String> = (0..n).map(|i| format!("title {i}")).collect();
        let list: Vec<Chart> = titles.iter().map(|title| chart(title)).collect();
        let svg = drawn(&list);
        assert!(svg.contains(&format!("width=\"860\" height=\"{height}\"")), "{n} charts");
        assert!(titles.iter().all(|title| svg.contains(&format!("\n{title}\n"))));
    }
}

/// A logarithmic axis has marks at powers of ten and does not show 0.
#[test]
fn a_logarithmic_axis_has_marks_at_powers_of_ten() {
    let marks = |scale: Scale, numbers: [f64; 3]| {
        let points = numbers.into_iter().enumerate().map(|(i, y)| (i as f64, y));
        let line = Line::new("line", points).markers();
        let svg = drawn(&[Chart::new("title").y_scale(scale).line(line)]);
        let dots = svg.matches("<circle").count();
        (svg.contains("\n0.1\n") && svg.contains("\n10\n") && !svg.contains("\n20\n"), dots)
    };
    assert_eq!(marks(Scale::Linear, [0.01, 1.0, 100.0]), (false, 3));
    assert_eq!(marks(Scale::Log, [0.01, 1.0, 100.0]), (true, 3));
    assert_eq!(marks(Scale::Auto, [0.01, 1.0, 100.0]), (true, 3));
    assert_eq!(marks(Scale::Log, [0.01, 0.0, 100.0]), (true, 2));
    assert_eq!(marks(Scale::Auto, [0.01, 0.0, 100.0]), (false, 3));
    assert_eq!(marks(Scale::Auto, [50.0, 51.0, 100.0]), (false, 3));
    assert_eq!(marks(Scale::Log, [-1.0, 0.0, -100.0]).1, 0);
}

#[test]
fn lines_are_drawn_with_names_colours_markers_and_rings() {
    let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
    let chart = Chart::new("title")
        .x_label("seconds")
        .x_range(0.0, 3.0)
        .y_range(0.0, 4.0)
        .legend(Corner::LowerLeft)
        .integer_x()
        .line(Line::new("first", []))
        .line(Line::new("second", points).markers().ring(2.0, 3.0));
    assert_eq!((chart.title(), chart.lines()[1].name()), ("title", "second"));
    let svg = drawn(&[chart]);
    // Three circles: two finite points and the ring. The first colour is absent, because the first line has
    // no points.
    assert_eq!(svg.matches("<circle").count(), 3);
    assert!(svg.to_uppercase().contains("#D1603D") && !svg.to_uppercase().contains("#3B6FB6"));
    for word in ["seconds", "second", "0", "1", "2", "3"] {
        assert!(svg.contains(&format!("\n{word}\n")), "{word}");
    }
    assert!(!svg.contains("first") && !svg.contains("NaN"));
}

/// The legend stands where it hides no line, unless its corner was set.
#[test]
fn the_legend_avoids_the_lines() {
    let place = |points: [(f64, f64); 3], corner: Option<Corner>| {
        let chart = Chart::new("title").x_range(0.0, 1.0).y_range(0.0, 1.0);
        let chart = corner.map_or(chart.clone(), |corner| chart.legend(corner));
        let svg = drawn(&[chart.line(Line::new("name", points)), Chart::new("other")]);
        let text = svg.split("<text ").find(|text| text.contains("\nname\n")).unwrap();
        let number = |key: &str| -> f64 {
            let rest = &text[text.find(&format!("{key}=\"")).unwrap() + key.len() + 2..];
            rest[..rest.find('"').unwrap()].parse().unwrap()
        };
        // A chart has 860 × 640 units.
        (number("x") > 430.0, number("y") < 320.0)
    };
    let (right, left, upper, lower) = (true, false, true, false);
    let falling = [(0.0, 1.0), (0.1, 0.1), (1.0, 0.0)];
    assert_eq!(place(falling, None), (right, upper));
    assert_eq!(place([(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)], None), (left, upper));
    assert_eq!(place([(0.0, 0.0), (0.1, 0.9), (1.0, 1.0)], None), (right, lower));
    assert_eq!(place([(0.0, 1.0), (0.9, 1.0), (1.0, 0.0)], None), (left, lower));
    assert_eq!(place(falling, Some(Corner::LowerLeft)), (left, lower));
    // Between its ends, a segment counts, too.
    assert_eq!(place([(-0.1, 0.9), (1.1, 0.9), (1.1, 0.5)], None), (right, lower));
}

/// The corners of the first line of a chart, in pixels.
fn corners(chart: Chart) -> Vec<Vec<(f64, f64)>> {
    let svg = drawn(&[chart]);
    let lines = svg.split("<polyline").skip(1).filter(|line| line.contains("#3B6FB6"));
    let points =
        lines.map(|line| line.split("points=\"").nth(1).unwrap().split('"').next().unwrap());
    points
        .map(|points| {
            let pairs = points.split_whitespace().map(|pair| pair.split_once(',').unwrap());
            pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
        })
        .collect()
}

/// A line that is higher than the axis leaves the chart in its own direction. It does not run along the edge.
#[test]
fn lines_are_cut_at_the_ends_of_the_axes() {
    let chart = || Chart::new("").x_range(0.0, 10.0).y_range(0.0, 4.0);
    let whole = corners(chart().line(Line::new("", [(0.0, 0.0), (10.0, 4.0)])));
    let [(left, bottom), (right, top)] = whole[0][..] else { panic!("{whole:?}") };
    let at = |x: f64, y: f64| (left + x / 10.0 * (right - left), bottom + y / 4.0 * (top - bottom));
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1.1 && (a.1 - b.1).abs() < 1.1;
    let same = |found: Vec<Vec<(f64, f64)>>, expected: &[&[(f64, f64)]]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(*expected).all(|(a, b)| near(*a, at(b.0, b.1))), "{found:?}");
        }
    };
    let line = |points: &[(f64, f64)]| corners(chart().line(Line::new("", points.to_vec())));
    same(
        line(&[(0.0, 0.0), (5.0, 8.0), (10.0, 0.0)]),
        &[&[(0.0, 0.0), (2.5, 4.0)], &[(7.5, 4.0), (10.0, 0.0)]],
    );
    same(line(&[(-5.0, 1.0), (15.0, 3.0)]), &[&[(0.0, 1.5), (10.0, 2.5)]]);
    // Both ends are outside, and so is all between them.
    same(line(&[(-5.0, 3.0), (5.0, 13.0)]), &[]);
    same(
        line(&[(1.0, 1.0), (2.0, 1.0), (3.0, 9.0), (4.0, 9.0), (5.0, 1.0)]),
        &[&[(1.0, 1.0), (2.0, 1.0), (2.375, 4.0)], &[(4.625, 4.0), (5.0, 1.0)]],
    );
    // On a logarithmic axis, a line is straight between the places of the numbers.
    let log = Chart::new("").x_range(0.0, 10.0).y_range(1.0, 100.0).y_scale(Scale::Log);
    same(corners(log.line(Line::new("", [(0.0, 1.0), (10.0, 1e4)]))), &[&[(0.0, 0.0), (5.0, 4.0)]]);
    // Dots beyond the ends.
    let dots = Line::scatter("", [(1.0, 1.0), (1.0, 5.0), (-1.0, 1.0), (10.0, 4.0)]);
    assert_eq!(drawn(&[chart().line(dots)]).matches("<circle").count(), 2);
}

/// Charts of numbers of any size take bounded time and space, on every scale.
#[test]
fn charts_of_any_numbers_take_bounded_time_and_space() {
    let (tiny, most) = (f64::from_bits(1), f64::MAX);
    let series: &[&[f64]] = &[
        &[],
        &[0.0],
        &[f64::NAN, f64::INFINITY],
        &[tiny, most],
        &[-most, most],
        &[1e-300, 1e300, 1.0],
        &[-5.0, -5e-5, -5e5],
        &[1e16, 1e16 + 2.0],
    ];
    for numbers in series {
        for scale in [Scale::Linear, Scale::Log, Scale::Auto] {
            let points = numbers.iter().map(|&z| (z, z));
            let line = Line::new("line", points).markers();
            let chart = Chart::new("").y_scale(scale).line(line);
            let svg = drawn(&[chart.clone(), chart.x_range(f64::NAN, most).y_range(most, -1.0)]);
            assert!(svg.len() < 50_000 && svg.matches("<text").count() < 100, "{numbers:?}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{numbers:?}");
        }
    }
}

/// The numbers of the marks of an axis, with their distances in pixels: marks are the texts that are numbers. Those
/// of the horizontal axis have the same y.
fn pixels_per_unit(svg: &str) -> [f64; 2] {
    let number = |text: &str, name: &str| -> f64 {
        text.split(&format!(" {name}=\""))
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let texts = svg.split("<text").skip(1).filter_map(|text| {
        let mark: f64 = text.split('\n').nth(1)?.parse().ok()?;
        Some((mark, number(text, "x"), number(text, "y")))
    });
    let marks: Vec<(f64, f64, f64)> = texts.collect();
    let along = |of: fn(&(f64, f64, f64)) -> f64, across: fn(&(f64, f64, f64)) -> f64| {
        let most = marks.iter().max_by_key(|a| {
            marks.iter().filter(|b| across(a) == across(b) && of(a) != of(b)).count()
        });
        let line: Vec<_> = marks.iter().filter(|a| across(a) == across(most.unwrap())).collect();
        let [first, last] = [line[0], line[line.len() - 1]];
        ((of(last) - of(first)) / (last.0 - first.0)).abs()
    };
    [along(|it| it.1, |it| it.2), along(|it| it.2, |it| it.1)]
}

#[test]
fn equal_axes_have_equal_units() {
    for ends in [[(0.0, 0.0), (8.0, 1.0)], [(0.0, 0.0), (1.0, 8.0)]] {
        for count in [1, 2] {
            let chart = Chart::new("").line(Line::scatter("", ends));
            let [x, y] = pixels_per_unit(&drawn(&vec![chart.clone(); count][..1]));
            assert!((x / y - 1.0).abs() > 0.5, "{x} {y}");
            let svg = drawn(&[chart.clone().equal_axes()]);
            let [x, y] = pixels_per_unit(&svg);
            assert!((x / y - 1.0).abs() < 0.02, "{x} {y}");
            // Both points are inside.
            assert_eq!(svg.matches("<circle").count(), 2);
            let log = chart.y_scale(Scale::Log).line(Line::new("", [(1.0, 0.1)]));
            assert_eq!(drawn(&[log.clone().equal_axes()]), drawn(&[log]));
        }
    }
    let most = Line::scatter("", [(-f64::MAX, 0.0), (f64::MAX, 1.0)]);
    assert!(!drawn(&[Chart::new("").line(most).equal_axes()]).contains("NaN"));
}

#[test]
fn points_are_dots_and_contours_are_pieces() {
    const COLOURS: [&str; 3] = ["#3B6FB6", "#A8A8A8", "#D1603D"];
    // |x² + y² - 2| < 1 between two circles.
    let at = |i: usize| i as f32 / 10.0 - 2.0;
    let heights =
        Tensor::from_fn(&[41, 41], |i| (at(i % 41).powi(2) + at(i / 41).powi(2) - 2.0).abs());
    let ring = Line::contour("ring", &heights, (-2.0, 2.0), (-2.0, 2.0), 1.0);
    assert!(ring.points().iter().all(|(x, y)| {
        let radius = x.hypot(*y);
        (radius - 1.0).abs() < 0.01 || (radius - 3f64.sqrt()).abs() < 0.01
    }));
    // The numbers of lines and of dots of each colour.
    let count = |svg: &str, element: &str| {
        let svg = svg.to_uppercase();
        COLOURS.map(|colour| {
            svg.lines().filter(|it| it.starts_with(element) && it.contains(colour)).count()
        })
    };
    let chart = |line: Line| drawn(&[Chart::new("").line(line)]);
    // Two circles, and the line in the legend.
    assert_eq!(count(&chart(ring.clone()), "<POLYLINE"), [3, 0, 0]);
    let dots = Line::scatter("dots", [(0.0, 0.0), (1.0, f64::NAN), (1.0, 2.0)]);
    let svg = chart(dots.clone());
    // Two dots, and one in the legend.
    assert_eq!((count(&svg, "<POLYLINE"), count(&svg, "<CIRCLE")), ([0; 3], [3, 0, 0]));
    // Faint lines do not count for the colours; lines without a name are not in the legend.
    let nameless = Line::contour("", &heights, (-2.0, 2.0), (-2.0, 2.0), 1.0).faint();
    let svg = drawn(&[Chart::new("").y_label("height").line(nameless).line(dots)]);
    assert_eq!((count(&svg, "<POLYLINE"), count(&svg, "<CIRCLE")), ([0, 2, 0], [3, 0, 0]));
    assert!(svg.contains("\nheight\n") && svg.contains("\ndots\n"));
    // Only a quarter of the inner circle is within these axes.
    let part = drawn(&[Chart::new("").x_range(0.0, 1.1).y_range(0.0, 1.1).line(ring)]);
    assert_eq!(count(&part, "<POLYLINE"), [2, 0, 0]);
    let none = Line::contour("nowhere", &heights, (0.0, 1.0), (0.0, 1.0), 99.0);
    assert!(none.points().is_empty() && !chart(none).contains("nowhere"));
}

#[test]
#[should_panic(
    expected = "contour: expected values [rows, columns] with at least 2 rows and 2 columns, got shape [5, 1]: give \
                the values on a grid, as a matrix"
)]
fn a_contour_needs_a_grid() {
    let _ = Line::contour("", &Tensor::zeros(&[5, 1]), (0.0, 1.0), (0.0, 1.0), 0.5);
}
