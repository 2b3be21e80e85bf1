//! The edge of a mask as lines between pixels.

/// Lines from point to point, in shares of the film's width and height.
pub type Outline = Vec<[[f32; 2]; 2]>;

/// The lines between marked pixels and others, runs along a row or column as one line; the film's own edge counts.
pub fn of(mask: &[bool], [width, height]: [usize; 2]) -> Outline {
    let at = |x: isize, y: isize| {
        let inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
        inside && mask.get(y as usize * width + x as usize).copied().unwrap_or(false)
    };
    let mut lines = Vec::new();
    let mut runs = |length: usize, edge: &dyn Fn(isize) -> bool, line: &dyn Fn(usize, usize) -> [[f32; 2]; 2]| {
        let mut start = None;
        for i in 0..=length {
            match (start, i < length && edge(i as isize)) {
                (None, true) => start = Some(i),
                (Some(from), false) => {
                    lines.push(line(from, i));
                    start = None;
                }
                _ => {}
            }
        }
    };
    let (w, h) = (width as f32, height as f32);
    for y in 0..=height as isize {
        let share = y as f32 / h;
        runs(width, &|x| at(x, y) != at(x, y - 1), &|a, b| [[a as f32 / w, share], [b as f32 / w, share]]);
    }
    for x in 0..=width as isize {
        let share = x as f32 / w;
        runs(height, &|y| at(x, y) != at(x - 1, y), &|a, b| [[share, a as f32 / h], [share, b as f32 / h]]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_rectangle_has_four_sides_and_the_edge_of_the_film_counts() {
        let mut mask = vec![false; 4 * 4];
        for at in [5, 6, 9, 10] {
            mask[at] = true;
        }
        let mut lines = of(&mask, [4, 4]);
        lines.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let expected = [
            [[0.25, 0.25], [0.25, 0.75]],
            [[0.25, 0.25], [0.75, 0.25]],
            [[0.25, 0.75], [0.75, 0.75]],
            [[0.75, 0.25], [0.75, 0.75]],
        ];
        assert_eq!(lines, expected);
        assert_eq!(of(&[true; 6], [3, 2]).len(), 4);
        assert!(of(&[false; 6], [3, 2]).is_empty());
        // Two pixels that touch at a corner keep their own edges.
        assert_eq!(of(&[true, false, false, true], [2, 2]).iter().map(length).sum::<f32>(), 4.0);
    }

    fn length(line: &[[f32; 2]; 2]) -> f32 {
        (line[1][0] - line[0][0]).abs() + (line[1][1] - line[0][1]).abs()
    }
}
