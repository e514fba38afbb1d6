//! Charts and their lines.

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
    pub(crate) lines: Vec<Line>,
    pub(crate) x_range: Option<(f64, f64)>,
    pub(crate) y_range: Option<(f64, f64)>,
    pub(crate) y_scale: Scale,
    pub(crate) integer_x: bool,
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
    /// scale, the legend in the corner
    /// where it hides the least of the lines.
    pub fn new(title: impl Into<String>) -> Self {
        Chart { title: title.into(), ..Self::default() }
    }

    /// Adds a line. The first line is blue, the second is orange; after eight lines the colours repeat. A
    /// line without points is not drawn, but it counts for the colours.
    pub fn line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    /// Sets the text below the horizontal axis. The default is no text.
    pub fn x_label(self, label: impl Into<String>) -> Self {
        Chart { x_label: label.into(), ..self }
    }

    /// Sets the ends of the horizontal axis. Points beyond an end are drawn at that end.
    pub fn x_range(self, low: f64, high: f64) -> Self {
        Chart { x_range: Some((low, high)), ..self }
    }

    /// Sets the ends of the vertical axis. Points beyond an end are drawn at that end.
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
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a line is drawn as a part of a chart"]
pub struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) markers: bool,
    pub(crate) ring: Option<(f64, f64)>,
}

impl Line {
    /// Creates a line from its name in the legend and its points.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().collect();
        Line { name: name.into(), points, ..Self::default() }
    }

    /// Draws a dot at each point.
    pub fn markers(self) -> Self {
        Line { markers: true, ..self }
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
