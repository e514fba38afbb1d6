//! Charts and their lines.

use crate::contour::Heights;
use wengert_tensor::{Element, Tensor};

/// A chart of one or several lines, drawn by [`charts`](crate::charts).
///
/// ```
/// use wengert::plot::{Chart, Line, Scale};
/// let path = std::env::temp_dir().join("curves.svg");
/// let losses = [2.3, 0.9, 0.4, 0.02];
/// let points = (1..).map(f64::from).zip(losses);
/// let chart = Chart::new("loss").x_label("epochs").y_scale(Scale::Auto).integer_x();
/// wengert::plot::charts(&[chart.line(Line::new("training", points).markers())], path).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a chart is drawn by `charts`"]
pub struct Chart {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) x_range: Option<(f64, f64)>,
    pub(crate) y_range: Option<(f64, f64)>,
    pub(crate) y_scale: Scale,
    pub(crate) integer_x: bool,
    pub(crate) equal_axes: bool,
    /// The corner that was set.
    pub(crate) legend: Option<Corner>,
}

/// The scale of the vertical axis of a [`Chart`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scale {
    /// Equal distances mean equal differences.
    #[default]
    Linear,
    /// Equal distances mean equal ratios. Numbers that are 0 or negative are left out.
    Log,
    /// [`Log`](Scale::Log) if all numbers are positive and the axis would have marks at two powers of ten or
    /// more, otherwise [`Linear`](Scale::Linear).
    Auto,
}

/// The corner of a [`Chart`] in which the legend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corner {
    /// The upper left corner.
    UpperLeft,
    /// The upper right corner.
    UpperRight,
    /// The lower left corner.
    LowerLeft,
    /// The lower right corner.
    LowerRight,
}

impl Chart {
    /// Creates a chart without lines. Defaults: axes from the smallest to the largest number, a linear
    /// scale, the legend in the corner where it hides the least of the lines.
    pub fn new(title: impl Into<String>) -> Self {
        Chart { title: title.into(), ..Self::default() }
    }

    /// Adds a line. The first line is blue, the second is orange; after eight lines the colours repeat. A
    /// line without points is not drawn, but it counts for the colours. [Faint](Line::faint) lines are grey and do
    /// not count.
    pub fn line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    /// Sets the text below the horizontal axis. The default is no text.
    pub fn x_label(self, label: impl Into<String>) -> Self {
        Chart { x_label: label.into(), ..self }
    }

    /// Sets the text beside the vertical axis. The default is no text.
    pub fn y_label(self, label: impl Into<String>) -> Self {
        Chart { y_label: label.into(), ..self }
    }

    /// Sets the ends of the horizontal axis. Lines are cut there, and dots beyond are not drawn.
    pub fn x_range(self, low: f64, high: f64) -> Self {
        Chart { x_range: Some((low, high)), ..self }
    }

    /// Sets the ends of the vertical axis. Lines are cut there, and dots beyond are not drawn.
    pub fn y_range(self, low: f64, high: f64) -> Self {
        Chart { y_range: Some((low, high)), ..self }
    }

    /// Sets the scale of the vertical axis. The default is [`Scale::Linear`].
    pub fn y_scale(self, scale: Scale) -> Self {
        Chart { y_scale: scale, ..self }
    }

    /// Places the marks of the horizontal axis at integers only, for epochs and steps.
    pub fn integer_x(self) -> Self {
        Chart { integer_x: true, ..self }
    }

    /// Makes a unit equally long on both axes, for points of a plane: one of the axes becomes longer at both ends. It
    /// has no effect if the vertical axis is logarithmic.
    pub fn equal_axes(self) -> Self {
        Chart { equal_axes: true, ..self }
    }

    /// Sets the corner of the legend. The default is the corner where it hides the least of the lines.
    pub fn legend(self, corner: Corner) -> Self {
        Chart { legend: Some(corner), ..self }
    }

    /// Returns the lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Returns the title.
    pub fn title(&self) -> &str {
        &self.title
    }
}

/// A line of a [`Chart`]: points `(x, y)` that are joined in their order. Points with a NaN or an infinity
/// are left out.
///
/// [`Line::scatter`] creates a cloud of points that are not joined, [`Line::contour`] the curve on which a function of
/// two variables has a given value.
///
/// ```
/// use wengert::plot::{Chart, Line};
/// use wengert::tensor::Tensor;
///
/// // x² + y², at the points of a grid from -1 to 1.
/// let at = |i: usize| i as f64 / 10.0 - 1.0;
/// let heights = Tensor::from_fn(&[21, 21], |i| at(i % 21).powi(2) + at(i / 21).powi(2));
/// let chart = Chart::new("inside a circle")
///     .line(Line::contour("", &heights, (-1.0, 1.0), (-1.0, 1.0), 0.64).faint())
///     .line(Line::scatter("points", [(0.1, 0.5), (-0.4, 0.2), (0.6, -0.3)]))
///     .equal_axes();
/// wengert::plot::charts(&[chart], std::env::temp_dir().join("circle.svg")).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a line is drawn as a part of a chart"]
pub struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// The positions of points that are not joined with the point before, in ascending order.
    pub(crate) breaks: Vec<usize>,
    pub(crate) style: Style,
    pub(crate) markers: bool,
    pub(crate) ring: Option<(f64, f64)>,
}

/// How the points of a line are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Joined,
    /// Joined by a thin grey line.
    Faint,
    /// Dots that are not joined.
    Dots,
}

impl Line {
    /// Creates a line from its name in the legend and its points. A line with an empty name is not in the legend.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().collect();
        Line { name: name.into(), points, ..Self::default() }
    }

    /// Creates a cloud of points: a dot at each point, and no line between them.
    pub fn scatter(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Line { style: Style::Dots, ..Self::new(name, points) }
    }

    /// Creates the curve on which a function f of two variables has the value `level`. It may have several pieces, or
    /// none.
    ///
    /// `values` are the values of f on a grid, `[rows, columns]`: row i and column j belong to the point (x, y), where x
    /// goes from the first to the second number of `x_range` with j, and y goes along `y_range` with i. Between the
    /// points of the grid, f is interpolated linearly. Where a value is NaN or infinite, there is no curve. The parts of the
    /// curve beyond the ends of the axes are not drawn.
    ///
    /// # Panics
    /// If `values` is not a matrix with at least two rows and two columns.
    #[track_caller]
    pub fn contour<T: Element>(
        name: impl Into<String>,
        values: &Tensor<T>,
        x_range: (f64, f64),
        y_range: (f64, f64),
        level: f64,
    ) -> Self {
        let shape = values.shape();
        let [rows @ (2..), columns @ (2..)] = shape[..] else {
            panic!(
                "contour: expected values [rows, columns] with at least 2 rows and 2 columns, got shape {shape}: give \
                 the values on a grid, as a matrix"
            )
        };
        let place = |(low, high): (f64, f64), at: f64, count: usize| {
            low + (high - low) * (at / (count - 1) as f64)
        };
        let mut line = Line { name: name.into(), ..Self::default() };
        for piece in Heights::new(values.cast::<f64>().to_vec(), columns).pieces(level) {
            line.breaks.push(line.points.len());
            let points = piece.into_iter();
            line.points
                .extend(points.map(|(x, y)| (place(x_range, x, columns), place(y_range, y, rows))));
        }
        line
    }

    /// Draws a dot at each point.
    pub fn markers(self) -> Self {
        Line { markers: true, ..self }
    }

    /// Draws the line thin and grey, behind the points that matter: a contour, or a curve to compare with. It does
    /// not count for the colours of the other lines.
    pub fn faint(self) -> Self {
        Line { style: Style::Faint, ..self }
    }

    /// Draws a ring around `(x, y)`, to point out one of the points. A second call replaces the first.
    pub fn ring(self, x: f64, y: f64) -> Self {
        Line { ring: Some((x, y)), ..self }
    }

    /// Returns the points.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
