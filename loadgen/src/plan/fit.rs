//! A straight line through measured runs: so much for a server, and so much more for each user.

use serde::Serialize;

/// One measured run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Users.
    pub users: f64,
    /// What was measured.
    pub measured: f64,
    /// What the line says.
    pub fitted: f64,
}

/// The line of a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What a server needs without users; not negative.
    pub fixed: f64,
    /// What each user adds; not negative.
    pub per_user: f64,
    /// The runs it was fitted to.
    pub points: Vec<Point>,
    /// Largest distance of a run from the line, as a share of what was measured.
    pub residual: f64,
}

impl Line {
    /// Fits `(users, measured)` by least squares of the relative distance, since a large run is as
    /// far off in percent as a small one. A part that came out negative is zero: no server pays
    /// back; then the other part is fitted alone.
    pub fn fit(runs: &[(f64, f64)]) -> Line {
        let weigh = |measured: f64| if measured > 0.0 { measured.powi(-2) } else { 1.0 };
        let sum = |of: fn(f64, f64) -> f64| {
            runs.iter().map(|(users, measured)| weigh(*measured) * of(*users, *measured)).sum()
        };
        let [all, x, y, xx, xy]: [f64; 5] =
            [sum(|_, _| 1.0), sum(|x, _| x), sum(|_, y| y), sum(|x, _| x * x), sum(|x, y| x * y)];
        let spread = all * xx - x * x;
        let per_user = if spread > 0.0 { (all * xy - x * y) / spread } else { 0.0 };
        let fixed = if all > 0.0 { (y - per_user * x) / all } else { 0.0 };
        let (fixed, per_user) = match (fixed < 0.0, per_user < 0.0) {
            (true, _) => (0.0, if xx > 0.0 { xy / xx } else { 0.0 }),
            (_, true) => (y / all, 0.0),
            _ => (fixed, per_user),
        };
        let point = |(users, measured): &(f64, f64)| {
            let fitted = fixed + per_user * users;
            Point { users: *users, measured: *measured, fitted }
        };
        let points: Vec<Point> = runs.iter().map(point).collect();
        let off = |point: &Point| error(point.fitted, point.measured).abs();
        let residual = points.iter().map(off).fold(0.0, f64::max);
        Line { fixed, per_user, points, residual }
    }

    /// What a server with so many users needs.
    pub fn at(&self, users: f64) -> f64 {
        self.fixed + self.per_user * users
    }

    /// What `servers` need that share `users`.
    pub fn shared(&self, users: f64, servers: f64) -> f64 {
        self.fixed * servers + self.per_user * users
    }

    /// How many users a server can have within `most`; infinite when they cost nothing.
    pub fn users_within(&self, most: f64) -> f64 {
        match self.per_user > 0.0 {
            true => ((most - self.fixed) / self.per_user).max(0.0),
            false if self.fixed <= most => f64::INFINITY,
            false => 0.0,
        }
    }
}

/// How far `predicted` is from `measured`, as a share of the latter.
pub fn error(predicted: f64, measured: f64) -> f64 {
    match measured > 0.0 {
        true => (predicted - measured) / measured,
        false if predicted == 0.0 => 0.0,
        false => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_found_exactly() {
        let line = Line::fit(&[(1000.0, 0.3), (2000.0, 0.5), (4000.0, 0.9)]);
        assert!((line.fixed - 0.1).abs() < 1e-9 && (line.per_user - 0.0002).abs() < 1e-12);
        assert!(line.residual < 1e-9);
        assert!((line.at(3000.0) - 0.7).abs() < 1e-9);
        assert!((line.users_within(0.9) - 4000.0).abs() < 1e-6);
        assert!((line.shared(8000.0, 2.0) - 1.8).abs() < 1e-9);
    }

    #[test]
    fn runs_that_scatter_give_a_line_between_them_and_say_how_far_they_are() {
        let line = Line::fit(&[(1000.0, 1.1), (2000.0, 1.9), (3000.0, 3.2), (4000.0, 3.9)]);
        assert!((line.at(2500.0) - 2.5).abs() < 0.1, "{line:?}");
        assert!((0.01..0.1).contains(&line.residual), "{line:?}");
    }

    #[test]
    fn a_large_run_does_not_drown_the_small_ones() {
        let line = Line::fit(&[(100.0, 1.0), (200.0, 2.0), (100_000.0, 1_100.0)]);
        assert!((line.at(100.0) - 1.0).abs() < 0.1, "{line:?}");
    }

    #[test]
    fn nothing_comes_out_negative() {
        let line = Line::fit(&[(1000.0, 1.0), (2000.0, 2.2), (4000.0, 4.8)]);
        assert_eq!(line.fixed, 0.0);
        assert!((line.per_user - 0.0011).abs() < 0.0001);
        let flat = Line::fit(&[(1000.0, 5.0), (2000.0, 4.0), (4000.0, 3.9)]);
        assert_eq!(flat.per_user, 0.0);
        assert!((3.9..5.0).contains(&flat.fixed));
        let none = Line::fit(&[(1000.0, 0.0), (2000.0, 0.0), (4000.0, 0.0)]);
        assert_eq!((none.fixed, none.per_user, none.residual), (0.0, 0.0, 0.0));
        assert_eq!(none.users_within(1.0), f64::INFINITY);
    }
}
