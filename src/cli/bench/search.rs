//! Exact cosine neighbours in a large gallery of random directions around random centres.

use super::meter::{Meter, Row};
use crate::compute::random::{normals, stream};
use crate::neighbour::search::{Gallery, first_look, normalised};

/// Length of a feature vector: that of DenseNet-121.
const DIM: usize = 1024;

/// Neighbours asked for.
const K: usize = 5;

/// One query and 64 over 200,000 films of as many patients, and how the time of one grows with the cohort.
pub fn search(meter: Meter, tell: &mut impl FnMut(Row)) {
    for films in [25_000, 50_000, 100_000, 200_000] {
        let films = meter.scaled(films);
        let centres = normals(&mut stream(4, "centres"), 500 * DIM);
        let mut noise = normals(&mut stream(4, "noise"), 1 << 20);
        let mut features = Vec::with_capacity(films * DIM);
        for film in 0..films {
            // A window that moves through one block of noise: independent enough, and drawn in no time.
            let start = film * 977 % (noise.len() - DIM);
            let centre = &centres[film % 500 * DIM..][..DIM];
            features.extend(noise[start..start + DIM].iter().zip(centre).map(|(n, c)| c + n));
        }
        let rows = normalised(&features, DIM);
        drop(features);
        let slots: Vec<u32> = (0..films as u32).collect();
        let coarse = first_look(&rows, DIM, || ());
        let gallery = Gallery { rows: &rows, dim: DIM, slots: &slots, patients: films, coarse: coarse.as_ref() };
        noise.truncate(64 * DIM);
        for (value, centre) in noise.iter_mut().zip(&centres) {
            *value += centre;
        }
        let queries = normalised(&noise, DIM);
        let row = |queries: usize| {
            let row = Row::new("search").with("films", films).with("dim", DIM).with("k", K);
            row.with("queries", queries)
        };
        let mut next = 0;
        tell(meter.time_plain(row(1), || {
            let query = &queries[next % 64 * DIM..][..DIM];
            next += 1;
            std::hint::black_box(gallery.nearest(query, K));
        }));
        if films == meter.scaled(200_000) {
            tell(meter.time_plain(row(64), || {
                std::hint::black_box(gallery.nearest_batch(&queries, K));
            }));
        }
    }
}
