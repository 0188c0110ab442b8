//! Samples as a picture: resident memory over time, the limit, and how far the work was. Pure.

use std::fmt::Write as _;

use super::Sample;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 360.0;
/// Of the area in which lines are drawn.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 790.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 310.0;

/// An SVG that is legible on dark and on light ground.
pub(super) fn draw(samples: &[Sample], limit_mib: f64, title: &str) -> String {
    let end_s = samples.last().map_or(1.0, |sample| sample.at_s).max(1.0);
    let most_mib = samples.iter().map(|sample| sample.resident_mib).fold(limit_mib, f64::max) * 1.1;
    let most_counted = samples.iter().map(|sample| sample.counted).max().unwrap_or(0).max(1) as f64;
    let x = |at_s: f64| LEFT + (RIGHT - LEFT) * at_s / end_s;
    let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share;
    let line = |of: &dyn Fn(&Sample) -> f64| -> String {
        samples.iter().map(|sample| format!("{:.1},{:.1} ", x(sample.at_s), y(of(sample)))).collect()
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"15\" fill=\"#222222\">{title}</text>\n"
    );
    // Writing to a string does not fail.
    for mib in ticks(most_mib, 5) {
        let at = y(mib / most_mib);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444444\">{mib:.0}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for second in ticks(end_s, 8) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444444\">{second:.0} s</text>",
            x(second),
            BOTTOM + 20.0
        );
    }
    let limit = y(limit_mib / most_mib);
    let _ = writeln!(
        svg,
        "<path d=\"M{LEFT} {limit:.1}H{RIGHT}\" stroke=\"#b3261e\" stroke-dasharray=\"6 4\"/>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#9aa0a6\" stroke-width=\"1.5\"/>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#1a5fb4\" stroke-width=\"2\"/>",
        line(&|sample| sample.counted as f64 / most_counted),
        line(&|sample| sample.resident_mib / most_mib),
    );
    for (at, colour, what) in [
        (LEFT, "#1a5fb4", "resident memory, MiB".to_owned()),
        (LEFT + 190.0, "#b3261e", format!("limit, {limit_mib:.0} MiB")),
        (LEFT + 340.0, "#7a8087", format!("records counted, up to {:.0} million", most_counted / 1e6)),
    ] {
        let _ = writeln!(svg, "<text x=\"{at}\" y=\"{:.1}\" fill=\"{colour}\">{what}</text>", HEIGHT - 8.0);
    }
    svg + "</svg>\n"
}

/// Round numbers from 0 to `end`, about so many.
fn ticks(end: f64, count: u32) -> Vec<f64> {
    let rough = end / f64::from(count);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(rough);
    let mut ticks = vec![0.0];
    while let Some(next) = ticks.last().map(|last| last + step).filter(|next| *next <= end) {
        ticks.push(next);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_end_where_the_values_do() {
        assert_eq!(ticks(440.0, 5), [0.0, 100.0, 200.0, 300.0, 400.0]);
        assert_eq!(ticks(9.0, 8), [0.0, 2.0, 4.0, 6.0, 8.0]);
    }

    #[test]
    fn every_sample_is_a_point_of_both_lines_inside_of_the_picture() {
        let sample = |at_s, resident_mib| Sample { at_s, resident_mib, counted: 10, shares_mib: [0.0; 7] };
        let svg = draw(&[sample(0.0, 10.0), sample(5.0, 500.0)], 400.0, "title");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("title") && svg.contains("limit, 400 MiB"));
        let points = svg.split("points=\"").skip(1).flat_map(|rest| rest.split('"').next().unwrap().split_whitespace());
        let points: Vec<(f64, f64)> = points
            .map(|point| point.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap())
            .collect();
        assert_eq!(points.len(), 4);
        assert!(points.iter().all(|(x, y)| (LEFT..=RIGHT).contains(x) && (TOP..=BOTTOM).contains(y)), "{points:?}");
    }
}
