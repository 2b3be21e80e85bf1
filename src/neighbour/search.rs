//! Exact search by brute force: nothing is approximated, ties go to the lower row.
//!
//! Large galleries are first looked at in bytes ([`coarse`]): a row is passed over only where a bound on the error of that
//! look proves that it cannot be among the neighbours. The rest is compared as if there had been no first look.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::compute::kernel::coarse::{self, Table};
use crate::compute::kernel::dot::{LANES, dot_rows};

/// Rows compared at a time with a group of queries, so that they are read from memory once for the group.
const BLOCK: usize = 256;

/// Queries that share one pass over the rows.
const GROUP: usize = 16;

/// Rows that one thread takes at a time when there is a single query.
const PIECE: usize = 2048;

/// Rows of the first look that one thread takes at a time: enough for its threshold to settle.
const LOOK: usize = 8192;

/// Numbers from which on a gallery is looked at in bytes first.
const LARGE: usize = 1 << 21;

/// The nearest row of one patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Row of the gallery.
    pub row: usize,
    /// 1 − cosine similarity.
    pub distance: f32,
    /// Further rows of the same patient that are no farther than the last hit.
    pub others: u32,
}

/// Normalised rows, padded to [`stride`], and whose they are.
pub struct Gallery<'a> {
    /// `[n, stride(dim)]`.
    pub rows: &'a [f32],
    /// Length of a feature vector before padding.
    pub dim: usize,
    /// For each row its patient, 0 to `patients` − 1.
    pub slots: &'a [u32],
    /// Number of patients.
    pub patients: usize,
    /// The rows in bytes, for galleries that are worth it: [`first_look`].
    pub coarse: Option<&'a Table>,
}

/// Rows `[n, stride(dim)]` in bytes, where the gallery is large enough and the processor fast enough with them.
/// `after_part` is called whenever a part of the rows has been read for the last time.
pub fn first_look(rows: &[f32], dim: usize, after_part: impl Fn()) -> Option<Table> {
    (rows.len() >= LARGE && coarse::pays()).then(|| Table::new(rows, stride(dim), after_part))
}

/// The best patients seen so far by what is certain of them, and the rows that may still be near.
struct Sieve {
    k: usize,
    /// Least similarity and patient, best first, a patient once.
    best: Vec<(f32, u32)>,
    /// Rows with the most their similarity can be.
    rows: Vec<(f32, u32)>,
}

impl Sieve {
    fn new(k: usize) -> Self {
        Self { k, best: Vec::with_capacity(k + 1), rows: Vec::new() }
    }

    /// A row below this is certain not to be among the neighbours.
    fn threshold(&self) -> f32 {
        if self.best.len() < self.k { f32::NEG_INFINITY } else { self.best.last().map_or(f32::INFINITY, |b| b.0) }
    }

    /// Takes a patient's film of at least this similarity.
    fn offer(&mut self, least: f32, patient: u32) {
        if let Some(place) = self.best.iter().position(|b| b.1 == patient) {
            if self.best[place].0 >= least {
                return;
            }
            self.best.remove(place);
        } else if self.best.len() == self.k {
            if least <= self.threshold() {
                return;
            }
            self.best.pop();
        }
        let place = self.best.partition_point(|b| b.0 >= least);
        self.best.insert(place, (least, patient));
    }

    /// Adds what another part of the rows came to.
    fn join(mut self, other: Self) -> Self {
        for (least, patient) in other.best {
            self.offer(least, patient);
        }
        self.rows.extend(other.rows);
        self
    }
}

/// Length of a padded row.
pub fn stride(dim: usize) -> usize {
    dim.next_multiple_of(LANES)
}

/// Rows `[n, dim]` scaled to length 1 and padded with zeros to [`stride`]. A row of zeros stays one: it has no direction
/// and lies at distance 1 from everything.
///
/// # Panics
/// When the length is not a multiple of `dim`.
pub fn normalised(features: &[f32], dim: usize) -> Vec<f32> {
    assert!(dim > 0 && features.len().is_multiple_of(dim), "features of {} are not rows of {dim}", features.len());
    let mut rows = vec![0.0; features.len() / dim * stride(dim)];
    for (row, feature) in rows.chunks_exact_mut(stride(dim)).zip(features.chunks_exact(dim)) {
        let length = feature.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        if length > 0.0 && length.is_finite() {
            for (value, &v) in row.iter_mut().zip(feature) {
                *value = (f64::from(v) / length) as f32;
            }
        }
    }
    rows
}

/// Rounding may push the similarity of equal vectors a hair above 1. NaN becomes 0 similarity here, so that a damaged
/// row is never a near one.
fn distance(similarity: f32) -> f32 {
    if similarity.is_nan() { 1.0 } else { (1.0 - similarity).max(0.0) }
}

impl Gallery<'_> {
    fn stride(&self) -> usize {
        stride(self.dim)
    }

    fn len(&self) -> usize {
        self.rows.len() / self.stride()
    }

    /// The `k` patients nearest to one normalised query, nearest first.
    pub fn nearest(&self, query: &[f32], k: usize) -> Vec<Hit> {
        let stride = self.stride();
        assert_eq!(query.len(), stride, "one query");
        if let Some(table) = self.coarse {
            return self.nearest_after_a_look(table, query, k).pop().unwrap_or_default();
        }
        let mut distances = vec![0.0; self.len()];
        distances.par_chunks_mut(PIECE).zip(self.rows.par_chunks(PIECE * stride)).for_each(|(out, rows)| {
            dot_rows(query, rows, out);
            for value in out {
                *value = distance(*value);
            }
        });
        self.select(&distances, k)
    }

    /// [`Gallery::nearest`] of each query, on all threads.
    pub fn nearest_batch(&self, queries: &[f32], k: usize) -> Vec<Vec<Hit>> {
        if let Some(table) = self.coarse {
            return self.nearest_after_a_look(table, queries, k);
        }
        let groups = queries.par_chunks(GROUP * self.stride());
        groups.flat_map_iter(|group| self.distances(group).into_iter().map(|d| self.select(&d, k))).collect()
    }

    /// Neighbours of each query by a first look in bytes and a second at the rows that it leaves.
    fn nearest_after_a_look(&self, table: &Table, queries: &[f32], k: usize) -> Vec<Vec<Hit>> {
        let stride = self.stride();
        if k == 0 {
            return vec![Vec::new(); queries.len() / stride];
        }
        let looks: Vec<coarse::Query> = queries.chunks_exact(stride).map(|query| table.query(query)).collect();
        let panels = table.len().div_ceil(coarse::ROWS);
        let look = |part: usize| {
            let first = part * (LOOK / coarse::ROWS);
            let mut sieves: Vec<Sieve> = looks.iter().map(|_| Sieve::new(k)).collect();
            table.scan(&looks, first..panels.min(first + LOOK / coarse::ROWS), |query, row, middles, margins| {
                let sieve = &mut sieves[query];
                let threshold = sieve.threshold();
                if !middles.iter().zip(margins).any(|(middle, margin)| middle + margin >= threshold) {
                    return;
                }
                for (i, (&middle, &margin)) in middles.iter().zip(margins).enumerate() {
                    // A damaged row's margin is huge: it is looked at, and promises nothing.
                    if row + i < table.len() && middle + margin >= threshold {
                        sieve.rows.push((middle + margin, (row + i) as u32));
                        sieve.offer(middle - margin, self.slots[row + i]);
                    }
                }
            });
            sieves
        };
        let parts: Vec<Vec<Sieve>> = (0..panels.div_ceil(LOOK / coarse::ROWS)).into_par_iter().map(look).collect();
        let mut sieves: Vec<Sieve> = looks.iter().map(|_| Sieve::new(k)).collect();
        for part in parts {
            sieves = sieves.into_iter().zip(part).map(|(all, part)| all.join(part)).collect();
        }
        let asked = queries.par_chunks_exact(stride).zip(sieves);
        asked.map(|(query, sieve)| self.second_look(query, sieve)).collect()
    }

    /// Compares the rows that a sieve has left.
    fn second_look(&self, query: &[f32], sieve: Sieve) -> Vec<Hit> {
        let (stride, threshold, k) = (self.stride(), sieve.threshold(), sieve.k);
        let left = sieve.rows.into_iter().filter(|row| row.0 >= threshold);
        let mut near: Vec<(f32, usize)> = left
            .map(|(_, row)| {
                let row = row as usize;
                let mut similarity = [0.0];
                dot_rows(query, &self.rows[row * stride..][..stride], &mut similarity);
                (distance(similarity[0]), row)
            })
            .collect();
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut hits: Vec<Hit> = Vec::new();
        let mut place: HashMap<u32, usize> = HashMap::new();
        for &(distance, row) in &near {
            if hits.len() < k && !place.contains_key(&self.slots[row]) {
                place.insert(self.slots[row], hits.len());
                hits.push(Hit { row, distance, others: 0 });
            }
        }
        let last = hits.last().map_or(0.0, |hit| hit.distance);
        for &(_, row) in near.iter().take_while(|near| near.0 <= last) {
            if let Some(&hit) = place.get(&self.slots[row]) {
                hits[hit].others += u32::from(hits[hit].row != row);
            }
        }
        hits
    }

    /// Distance of each query to its nearest row, whoever's it is.
    pub fn nearest_distances(&self, queries: &[f32]) -> Vec<f32> {
        let stride = self.stride();
        let groups = queries.par_chunks(GROUP * stride);
        groups
            .flat_map_iter(|group| {
                let mut best = vec![f32::INFINITY; group.len() / stride];
                self.compare(group, |query, block| {
                    best[query] = block.iter().fold(best[query], |best, &v| best.min(distance(v)));
                });
                best
            })
            .collect()
    }

    /// Distances of a group of queries to all rows.
    fn distances(&self, group: &[f32]) -> Vec<Vec<f32>> {
        let mut all = vec![Vec::with_capacity(self.len()); group.len() / self.stride()];
        self.compare(group, |query, block| all[query].extend(block.iter().map(|&v| distance(v))));
        all
    }

    /// Gives `take` the number of each query and its similarities to one block of rows after the other.
    fn compare(&self, group: &[f32], mut take: impl FnMut(usize, &[f32])) {
        let stride = self.stride();
        let mut out = [0.0; BLOCK];
        for rows in self.rows.chunks(BLOCK * stride) {
            let out = &mut out[..rows.len() / stride];
            for (q, query) in group.chunks_exact(stride).enumerate() {
                dot_rows(query, rows, out);
                take(q, out);
            }
        }
    }

    /// The best row of each patient, then the best `k` of those, by distance and then by row.
    fn select(&self, distances: &[f32], k: usize) -> Vec<Hit> {
        let mut best: Vec<(f32, usize)> = vec![(f32::INFINITY, usize::MAX); self.patients];
        for (row, (&distance, &slot)) in distances.iter().zip(self.slots).enumerate() {
            let of_patient = &mut best[slot as usize];
            // Rows come in ascending order: an equal distance leaves the lower row in place.
            if distance < of_patient.0 {
                *of_patient = (distance, row);
            }
        }
        let order = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if k < best.len() {
            best.select_nth_unstable_by(k, order);
            best.truncate(k);
        }
        best.sort_unstable_by(order);
        best.retain(|&(_, row)| row != usize::MAX);
        let Some(&(last, _)) = best.last() else { return Vec::new() };
        best.into_iter()
            .map(|(distance, row)| {
                let slot = self.slots[row];
                let others = self.slots.iter().zip(distances).filter(|&(&s, &d)| s == slot && d <= last).count() - 1;
                Hit { row, distance, others: others as u32 }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    /// By definition, in double precision: best row of each patient, sorted by distance, then row.
    fn naive(rows: &[f32], query: &[f32], slots: &[u32], stride: usize, k: usize) -> Vec<(usize, f64, u32)> {
        let distances: Vec<f64> = rows
            .chunks_exact(stride)
            .map(|row| 1.0 - row.iter().zip(query).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>())
            .collect();
        let mut order: Vec<usize> = (0..distances.len()).collect();
        order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]).then(a.cmp(&b)));
        let mut hits: Vec<(usize, f64, u32)> = Vec::new();
        for &row in &order {
            if hits.iter().all(|hit| slots[hit.0] != slots[row]) {
                hits.push((row, distances[row], 0));
            }
        }
        hits.truncate(k);
        let last = hits.last().map_or(0.0, |hit| hit.1);
        for hit in &mut hits {
            hit.2 = order.iter().filter(|&&r| slots[r] == slots[hit.0] && distances[r] <= last).count() as u32 - 1;
        }
        hits
    }

    #[test]
    fn neighbours_are_those_of_the_definition_in_double_precision() {
        let mut rng = stream(11, "search");
        let (dim, n, k) = (219, 3000, 6);
        let rows = normalised(&normals(&mut rng, n * dim), dim);
        let slots: Vec<u32> = (0..n as u32).map(|i| i / 3 % 700).collect();
        let gallery = Gallery { rows: &rows, dim, slots: &slots, patients: 700, coarse: None };
        let queries = normalised(&normals(&mut rng, 40 * dim), dim);
        let batch = gallery.nearest_batch(&queries, k);
        let nearest = gallery.nearest_distances(&queries);
        assert_eq!((batch.len(), nearest.len()), (40, 40));
        for ((query, hits), &nearest) in queries.chunks_exact(stride(dim)).zip(&batch).zip(&nearest) {
            assert_eq!(*hits, gallery.nearest(query, k));
            assert_eq!(hits[0].distance, nearest);
            let expected = naive(&rows, query, &slots, stride(dim), k);
            let found: Vec<_> = hits.iter().map(|hit| (hit.row, hit.others)).collect();
            assert_eq!(found, expected.iter().map(|e| (e.0, e.2)).collect::<Vec<_>>());
            for (hit, expected) in hits.iter().zip(&expected) {
                assert!((f64::from(hit.distance) - expected.1).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_first_look_changes_nothing() {
        let mut rng = stream(12, "search");
        for (dim, n, patients) in [(219, 9001, 700), (64, 20, 3), (32, 17_000, 17_000)] {
            // Clusters, and rows that occur twice, so that distances are equal.
            let centres = normals(&mut rng, 40 * dim);
            let mut features = normals(&mut rng, n * dim);
            for (i, row) in features.chunks_exact_mut(dim).enumerate() {
                row.iter_mut().zip(&centres[i % 40 * dim..]).for_each(|(v, c)| *v = 0.4 * *v + c);
            }
            features.copy_within(0..dim, (n - 1) * dim);
            features[5 * dim..6 * dim].fill(0.0);
            let mut rows = normalised(&features, dim);
            rows[7 * stride(dim)] = f32::NAN;
            let slots: Vec<u32> = (0..n as u32).map(|i| i * 7 % patients).collect();
            let table = Table::new(&rows, stride(dim), || ());
            let plain = Gallery { rows: &rows, dim, slots: &slots, patients: patients as usize, coarse: None };
            let looked = Gallery { coarse: Some(&table), ..plain };
            let asked = [&features[..dim], &features[n / 2 * dim..][..7 * dim], &vec![0.0; dim]].concat();
            let queries = normalised(&asked, dim);
            for k in [0, 1, 6, 30] {
                assert_eq!(looked.nearest_batch(&queries, k), plain.nearest_batch(&queries, k), "{n} rows, {k} wanted");
                assert_eq!(looked.nearest(&queries[..stride(dim)], k), plain.nearest(&queries[..stride(dim)], k));
            }
        }
    }

    #[test]
    fn ties_go_to_the_lower_row_and_films_of_one_patient_are_one_neighbour() {
        let near = [1.0, 0.1, 0.0];
        let far = [0.0, 1.0, 0.0];
        let rows = normalised(&[far, near, near, near, far].concat(), 3);
        let gallery = Gallery { rows: &rows, dim: 3, slots: &[0, 2, 1, 1, 2], patients: 3, coarse: None };
        let hits = gallery.nearest(&normalised(&[1.0, 0.0, 0.0], 3), 2);
        assert_eq!(hits.iter().map(|h| (h.row, h.others)).collect::<Vec<_>>(), [(1, 0), (2, 1)]);
        assert_eq!(hits[0].distance, hits[1].distance);
        let all = gallery.nearest(&normalised(&[1.0, 0.0, 0.0], 3), 9);
        assert_eq!(all.iter().map(|h| (h.row, h.others)).collect::<Vec<_>>(), [(1, 1), (2, 1), (0, 0)]);
        assert!(gallery.nearest(&normalised(&[1.0, 0.0, 0.0], 3), 0).is_empty());
    }

    #[test]
    fn vectors_without_direction_and_damaged_rows_are_near_nobody() {
        let mut rows = normalised(&[[0.0, 0.0], [2.0, 0.0]].concat(), 2);
        assert_eq!(rows[stride(2)], 1.0);
        rows[0] = f32::NAN;
        let gallery = Gallery { rows: &rows, dim: 2, slots: &[0, 1], patients: 2, coarse: None };
        let hits = gallery.nearest(&normalised(&[3.0, 0.0], 2), 2);
        assert_eq!(hits.iter().map(|h| (h.row, h.distance)).collect::<Vec<_>>(), [(1, 0.0), (0, 1.0)]);
    }
}
