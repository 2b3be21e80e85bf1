//! A drawing as SVG, its text as text.

use std::fmt::Write as _;

use super::drawing::{Anchor, Drawing, Pen, Shape};

/// Text with the characters that XML keeps for itself written as entities.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Drawing {
    /// The drawing as SVG. `font` is a CSS `src` for the face "Figure" (a data URI), or `None` where the page has one.
    pub fn svg(&self, font: Option<&str>) -> String {
        let (width, height) = self.size;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"Figure, Roboto, sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"{}\">",
            escape(&self.described)
        );
        // Writing to a String cannot fail; the results are let go.
        if let Some(font) = font {
            let _ = write!(svg, "<style>@font-face{{font-family:Figure;src:{font}}}</style>");
        }
        let _ = write!(svg, "<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>", self.ground);
        for shape in &self.shapes {
            let _ = match shape {
                Shape::Path { points, closed, fill, pen } => {
                    let name = if *closed { "polygon" } else { "polyline" };
                    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                    let fill = fill.map_or("fill=\"none\"".to_owned(), |(color, opacity)| {
                        let opacity =
                            if opacity < 1.0 { format!(" fill-opacity=\"{opacity}\"") } else { String::new() };
                        format!("fill=\"{color}\"{opacity}")
                    });
                    write!(svg, "<{name} points=\"{}\" {fill}{}/>", points.join(" "), stroke(*pen))
                }
                Shape::Disc { at: (x, y), radius, fill, pen } => {
                    let fill = fill.unwrap_or("none");
                    let stroke = stroke(*pen);
                    write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{fill}\"{stroke}/>")
                }
                Shape::Text { at: (x, y), anchor, size, color, upwards, words } => {
                    let anchor = match anchor {
                        Anchor::Start => "start",
                        Anchor::Middle => "middle",
                        Anchor::End => "end",
                    };
                    let turned =
                        if *upwards { format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"") } else { String::new() };
                    write!(
                        svg,
                        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
                         fill=\"{color}\"{turned}>{}</text>",
                        escape(words)
                    )
                }
            };
        }
        svg.push_str("</svg>");
        svg
    }
}

fn stroke(pen: Option<Pen>) -> String {
    let Some(Pen { color, width, dash }) = pen else { return String::new() };
    let dash: Vec<String> = dash.iter().map(f64::to_string).collect();
    let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{}\"", dash.join(" ")) };
    format!(" stroke=\"{color}\" stroke-width=\"{width}\"{dash}")
}
