//! A radiograph ready to be drawn: on the GPU where there is one, else as a picture windowed by the CPU.

use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{self, Color32, ColorImage, Painter, Rect, TextureHandle, TextureOptions, pos2};

use super::{Gpu, GpuFilm, Look};
use crate::radiograph::Radiograph;

/// A radiograph that can be drawn again and again. It may be made on any thread.
pub struct Film {
    image: Radiograph,
    gpu: Option<(Gpu, Arc<GpuFilm>)>,
    picture: Mutex<Option<(Look, TextureHandle)>>,
}

impl Film {
    /// Takes a radiograph, and copies it to the device where there is one.
    pub fn new(image: Radiograph, gpu: Option<&Gpu>) -> Self {
        let gpu = gpu.and_then(|gpu| gpu.upload(&image).map(|film| (gpu.clone(), Arc::new(film))));
        Self { image, gpu, picture: Mutex::new(None) }
    }

    /// The radiograph itself.
    pub fn image(&self) -> &Radiograph {
        &self.image
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.image.width(), self.image.height()]
    }

    /// Draws the film at `place` (points; may reach outside the painter's clip rectangle).
    pub fn paint(&self, painter: &Painter, place: Rect, look: &Look) {
        if let Some((gpu, film)) = &self.gpu {
            gpu.paint(painter, film, place, look);
            return;
        }
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = picture.as_ref().is_some_and(|(drawn, _)| drawn == look);
        if !fresh {
            *picture = Some((*look, self.windowed(painter.ctx(), look)));
        }
        if let Some((_, texture)) = &*picture {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture.id(), place, whole, Color32::WHITE);
        }
    }

    /// The film as a picture in 8 bits: the same colours as the shader's, interpolated after windowing.
    fn windowed(&self, ctx: &egui::Context, look: &Look) -> TextureHandle {
        let options = if look.linear { TextureOptions::LINEAR } else { TextureOptions::NEAREST };
        let entry = |&value: &f32| {
            let [r, g, b] = look.color(value);
            [r, g, b, (look.opacity(value) * 255.0).round() as u8]
        };
        let bytes: Vec<u8> = self.image.pixels().iter().flat_map(entry).collect();
        ctx.load_texture("film", ColorImage::from_rgba_unmultiplied(self.size(), &bytes), options)
    }
}
