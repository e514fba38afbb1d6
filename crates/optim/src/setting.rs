//! Values of hyperparameters, and their ranges.

use std::fmt;

/// The value of a hyperparameter.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// A number.
    Number(f64),
    /// On or off.
    Switch(bool),
}

impl From<f64> for Setting {
    fn from(x: f64) -> Self {
        Setting::Number(x)
    }
}

impl From<bool> for Setting {
    fn from(x: bool) -> Self {
        Setting::Switch(x)
    }
}

impl Setting {
    /// Stores the value in a hyperparameter, if the hyperparameter has the same type.
    pub(crate) fn store<H: Hyperparameter>(self, to: &mut H) {
        if let Some(value) = H::from_setting(self) {
            *to = value;
        }
    }

    /// Parses a value of the same variant as `self`.
    pub(crate) fn parse(self, text: &str) -> Option<Self> {
        match self {
            Setting::Number(_) => text.parse().ok().map(Setting::Number),
            Setting::Switch(_) => text.parse().ok().map(Setting::Switch),
        }
    }
}

/// The type of a hyperparameter: a number or a switch.
pub(crate) trait Hyperparameter: Sized {
    fn from_setting(setting: Setting) -> Option<Self>;
}

impl Hyperparameter for f64 {
    fn from_setting(setting: Setting) -> Option<Self> {
        if let Setting::Number(x) = setting { Some(x) } else { None }
    }
}

impl Hyperparameter for bool {
    fn from_setting(setting: Setting) -> Option<Self> {
        if let Setting::Switch(x) = setting { Some(x) } else { None }
    }
}

/// Writes the shortest text that parses to the same value.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Number(x) => write!(f, "{x:?}"),
            Setting::Switch(x) => write!(f, "{x}"),
        }
    }
}

/// The range of a hyperparameter.
pub(crate) struct Bounds {
    pub contains: fn(f64) -> bool,
    /// The condition in messages, after "must be".
    pub must: &'static str,
}

impl Bounds {
    pub const NOT_NEGATIVE: Self =
        Bounds { contains: |x| x >= 0.0 && x.is_finite(), must: "finite and at least 0" };
    pub const FINITE: Self = Bounds { contains: f64::is_finite, must: "finite" };
    pub const UNIT: Self = Bounds { contains: |x| (0.0..=1.0).contains(&x), must: "from 0 to 1" };
    pub const BELOW_ONE: Self =
        Bounds { contains: |x| (0.0..1.0).contains(&x), must: "at least 0 and below 1" };

    /// Panics if the argument `name` of a constructor or setter of `of` is out of range.
    #[track_caller]
    pub fn check(&self, of: &str, name: &str, value: f64) {
        assert!((self.contains)(value), "{of}: {name} must be {}, got {value:?}", self.must);
    }
}
