//! The shaders against the processor's engine. Needs a driver, in hardware or software; software is enough.

use super::*;
use crate::compute::kernel::Instructions;
use crate::compute::random::{normals, stream};
use crate::generator::Family;
use crate::generator::sampler::Sampler;
use crate::generator::testing::{architecture, tensors};

/// Largest difference from the processor's engine, as a share of the image's root mean square: what that engine itself
/// may be off from the definition (`sampler::reference`).
const ERROR: f64 = 5e-5;

fn error(exact: &[f32], out: &[f32]) -> f64 {
    let square: f64 = exact.iter().map(|v| f64::from(*v).powi(2)).sum();
    let rms = (square / exact.len() as f64).sqrt();
    assert!(out.iter().all(|v| v.is_finite()) && rms > 1e-3);
    exact.iter().zip(out).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max) / rms
}

#[test]
fn both_networks_agree_with_the_processor_on_any_shape() {
    let graphics = Graphics::open(None).expect("a driver, in hardware or software");
    let shapes = [
        // family, resolution, latent, labels, base, most: widths that are and are not multiples of four, and every form.
        (Family::ProgGan, 8, 7, 2, 48, 12),
        (Family::ProgGan, 32, 40, 14, 512, 64),
        (Family::ProgGan, 64, 16, 5, 768, 21),
        (Family::ProgGan, 16, 33, 3, 8192, 140),
        (Family::CpdGan, 8, 9, 3, 64, 32),
        (Family::CpdGan, 32, 64, 6, 480, 96),
        (Family::CpdGan, 64, 24, 1, 700, 41),
        (Family::CpdGan, 8, 20, 15, 8192, 176),
    ];
    for (family, resolution, latent, labels, base, most) in shapes {
        let architecture = architecture(family, resolution, latent, labels, base, most);
        let tensors = tensors(&architecture, 5);
        let pixels = resolution * resolution;
        let z = normals(&mut stream(7, "inputs"), 3 * latent);
        let y: Vec<f32> = (0..3 * labels).map(|i| [0.0, 1.0, 0.4][i % 3]).collect();
        let mut exact = vec![0.0; 3 * pixels];
        Sampler::new(&architecture, &tensors, Instructions::best()).sample(&z, &y, &mut exact);
        let sampler = GraphicsSampler::new(&graphics, &architecture, &tensors).unwrap();
        // A batch, then one alone: the buffers hold the batch's numbers still.
        let mut out = vec![f32::NAN; 3 * pixels];
        sampler.sample(&z, &y, &mut out).unwrap();
        let off = error(&exact, &out);
        println!("{architecture:?} on {}: {off:.1e}", graphics.name());
        assert!(off < ERROR, "{architecture:?}: {off}");
        let last = &mut out[..pixels];
        sampler.sample(&z[2 * latent..], &y[2 * labels..], last).unwrap();
        let off = error(&exact[2 * pixels..], last);
        assert!(off < ERROR, "{architecture:?}, alone: {off}");
    }
}

#[test]
fn what_does_not_fit_at_once_is_cut() {
    let graphics = Graphics::open(None).expect("a driver, in hardware or software");
    let architecture = architecture(Family::CpdGan, 16, 12, 2, 256, 16);
    let tensors = tensors(&architecture, 1);
    let n = 2 * TOGETHER + 3;
    let (z, y) = (normals(&mut stream(1, "z"), n * 12), vec![0.5; n * 2]);
    let (mut exact, mut out) = (vec![0.0; n * 256], vec![f32::NAN; n * 256]);
    Sampler::new(&architecture, &tensors, Instructions::best()).sample(&z, &y, &mut exact);
    GraphicsSampler::new(&graphics, &architecture, &tensors).unwrap().sample(&z, &y, &mut out).unwrap();
    let off = error(&exact, &out);
    assert!(off < ERROR, "{off}");
}

#[test]
fn a_device_that_is_too_small_says_so_and_one_that_failed_is_not_asked_again() {
    let graphics = Graphics::open(None).expect("a driver, in hardware or software");
    let architecture = architecture(Family::ProgGan, 8, 7, 2, 48, 12);
    let tensors = tensors(&architecture, 5);
    let sampler = GraphicsSampler::new(&graphics, &architecture, &tensors).unwrap();
    let (z, y, mut out) = (vec![0.5; 7], vec![1.0; 2], vec![0.0; 64]);
    sampler.sample(&z, &y, &mut out).unwrap();

    // What the driver refuses comes back as one sentence and does not end the program.
    let refused = graphics.guarded(|| {
        graphics.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: graphics.device().limits().max_buffer_size + 4,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    });
    let text = refused.unwrap_err().to_string();
    assert!(text.starts_with("the graphics device") && text.contains(graphics.name()), "{text}");
    assert!(sampler.sample(&z, &y, &mut out).unwrap_err().to_string().contains("failed before"));
    assert!(GraphicsSampler::new(&graphics, &architecture, &tensors).is_err());

    // The least that a device may allow is too little for the widest network at the largest side.
    let small = small_device();
    let wide = crate::generator::Architecture { resolution: 1024, feature_base: 1 << 20, ..architecture };
    let wide = crate::generator::Architecture { feature_max: 512, ..wide };
    let weights = crate::generator::testing::tensors(&architecture, 5);
    let refused = Network::new(&small, &wide, &Weights::new(&wide, &weights), 1).unwrap_err();
    assert!(matches!(refused, GraphicsError::TooSmall { .. }), "{refused}");
    assert!(refused.to_string().contains("bytes in a buffer"), "{refused}");
}

/// A device with no more than every one allows.
fn small_device() -> Graphics {
    Graphics::open_within(None, |_| wgpu::Limits::default()).unwrap()
}
