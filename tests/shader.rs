//! The window/level shader against the CPU, pixel by pixel. Needs a driver, in hardware or software.

use std::sync::Arc;

use eframe::egui::{Rect, Sense, pos2, vec2};
use egui_kittest::Harness;
use negatoscope::compute::random;
use negatoscope::desktop::lightbox::{ColorMap, Film, Gpu, Look};
use negatoscope::radiograph::{Meaning, Radiograph, Window};

/// Noise over a wide range, with values on and around the window's limits.
fn film(width: usize, height: usize) -> Radiograph {
    let mut pixels = random::normals(&mut random::stream(5, "shader test"), width * height);
    for value in &mut pixels {
        *value = *value * 60.0 + 40.0;
    }
    pixels[0] = -1000.0;
    pixels[1] = 3071.0;
    pixels[2] = 0.0;
    pixels[3] = 80.0;
    Radiograph::new(width, height, pixels, Meaning::Hounsfield).unwrap()
}

/// What the graphics device draws: `film` magnified by `zoom`, its corner at `corner`, in a window of 200 × 160.
fn drawn(film: &Radiograph, look: Look, corner: [f32; 2], zoom: f32) -> image::RgbaImage {
    // Held to the end, so that no driver is unloaded before its exit handlers are called.
    negatoscope::compute::graphics::instance();
    let image = film.clone();
    let mut shown: Option<Arc<Film>> = None;
    let mut harness =
        Harness::builder().with_size(vec2(200.0, 160.0)).with_render_cursor(false).wgpu().build_eframe(move |cc| {
            let gpu = Gpu::new(cc.wgpu_render_state.as_ref().expect("the harness draws with a device"));
            let film = shown.get_or_insert_with(|| Arc::new(Film::new(image.clone(), Some(&gpu)))).clone();
            Page { film, look, corner, zoom }
        });
    harness.run();
    harness.render().unwrap()
}

struct Page {
    film: Arc<Film>,
    look: Look,
    corner: [f32; 2],
    zoom: f32,
}

impl eframe::App for Page {
    fn ui(&mut self, ui: &mut eframe::egui::Ui, _frame: &mut eframe::Frame) {
        let [width, height] = self.film.size().map(|side| side as f32 * self.zoom);
        let place = Rect::from_min_size(pos2(self.corner[0], self.corner[1]), vec2(width, height));
        ui.allocate_rect(ui.max_rect(), Sense::hover());
        self.film.paint(ui.painter(), place, &self.look);
    }
}

/// Compares every pixel of the film that is on screen; `value` gives the film's value at a place in film pixels.
fn differing(
    picture: &image::RgbaImage,
    look: Look,
    corner: [f32; 2],
    zoom: f32,
    film: &Radiograph,
    value: impl Fn(f32, f32) -> f32,
) -> (usize, usize, u8) {
    let (mut compared, mut different, mut worst) = (0, 0, 0);
    for (x, y, pixel) in picture.enumerate_pixels() {
        let (u, v) = ((x as f32 + 0.5 - corner[0]) / zoom, (y as f32 + 0.5 - corner[1]) / zoom);
        if u < 0.0 || v < 0.0 || u >= film.width() as f32 || v >= film.height() as f32 {
            continue;
        }
        compared += 1;
        let expected = look.color(value(u, v));
        let off = (0..3).map(|c| pixel.0[c].abs_diff(expected[c])).max().unwrap();
        different += usize::from(off > 0);
        worst = worst.max(off);
    }
    (compared, different, worst)
}

fn looks() -> [Look; 3] {
    let brain =
        Look { window: Window::new(40.0, 80.0), invert: false, linear: false, map: ColorMap::Grey, overlay: None };
    [
        brain,
        Look { invert: true, window: Window::new(75.0, 200.0), ..brain },
        Look { window: Window::new(0.0, 150.0), map: ColorMap::Diverging, ..brain },
    ]
}

#[test]
fn nearest_pixels_are_exactly_those_of_the_cpu() {
    let film = film(48, 40);
    for look in looks() {
        let picture = drawn(&film, look, [4.0, 0.0], 4.0);
        let nearest = |u: f32, v: f32| film.at(u as usize, v as usize).unwrap();
        let (compared, different, _) = differing(&picture, look, [4.0, 0.0], 4.0, &film, nearest);
        assert_eq!((compared, different), (192 * 160, 0), "{look:?}");
    }
}

#[test]
fn linear_pixels_are_those_of_the_cpu_to_a_grey_level() {
    let film = film(48, 40);
    for look in looks().map(|look| Look { linear: true, ..look }) {
        let picture = drawn(&film, look, [4.0, 0.0], 4.0);
        let at = |x: i64, y: i64| film.at(x.clamp(0, 47) as usize, y.clamp(0, 39) as usize).unwrap();
        let linear = |u: f32, v: f32| {
            let (x, y) = ((u - 0.5).floor(), (v - 0.5).floor());
            let (a, b) = (u - 0.5 - x, v - 0.5 - y);
            let (x, y) = (x as i64, y as i64);
            let above = at(x, y) * (1.0 - a) + at(x + 1, y) * a;
            let below = at(x, y + 1) * (1.0 - a) + at(x + 1, y + 1) * a;
            above * (1.0 - b) + below * b
        };
        let (compared, different, worst) = differing(&picture, look, [4.0, 0.0], 4.0, &film, linear);
        assert_eq!(compared, 192 * 160);
        // Interpolation may round in another order; that can move a value across the border between two entries.
        assert!(different * 100 <= compared, "{look:?}: {different} of {compared} differ");
        assert!(look.map == ColorMap::Diverging || worst <= 1, "{look:?}: off by {worst}");
    }
}

#[test]
fn an_overlay_covers_as_much_as_the_cpu_says() {
    let film = film(48, 40);
    let look = Look { map: ColorMap::Heat, overlay: Some(0.7), ..looks()[0] };
    let bare = drawn(&film, Look { map: ColorMap::Heat, ..looks()[0] }, [500.0, 500.0], 4.0);
    let picture = drawn(&film, look, [4.0, 0.0], 4.0);
    let mut through = 0;
    for (x, y, pixel) in picture.enumerate_pixels().filter(|(x, ..)| (4..196).contains(x)) {
        let value = film.at((x as usize - 4) / 4, y as usize / 4).unwrap();
        let (opacity, ground) = (look.opacity(value), bare.get_pixel(x, y));
        through += usize::from(opacity < 0.5);
        for (c, heat) in look.color(value).into_iter().enumerate() {
            let expected = f32::from(heat) * opacity + f32::from(ground.0[c]) * (1.0 - opacity);
            assert!((f32::from(pixel.0[c]) - expected).abs() <= 1.5, "{x} {y}: {pixel:?} {expected}");
        }
    }
    assert!(through > 1000, "{through}");
}

#[test]
fn a_film_that_reaches_outside_is_cut_not_squeezed() {
    let film = film(48, 40);
    let look = looks()[0];
    let corner = [-90.0, -61.0];
    let picture = drawn(&film, look, corner, 6.0);
    let nearest = |u: f32, v: f32| film.at(u as usize, v as usize).unwrap();
    let (compared, different, _) = differing(&picture, look, corner, 6.0, &film, nearest);
    assert!(compared > 30_000);
    assert_eq!(different, 0);
}
