// What follows every layer's products: they become pixels, which get bias, leaky ReLU and (conditional) pixel norm, and
// where an image is wanted their grey value.
//
// The threads that share a tile each take some of its channels. The norm needs them all: pixels are written, then read
// again by the thread that wrote them.

// [matrices, images * rows, outer]
@group(0) @binding(1) var<storage, read> products: array<f32>;
// Bias [outer], weights of the image [outer], bias of the image.
@group(0) @binding(2) var<storage, read> constants: array<f32>;
// [images, affines]
@group(0) @binding(3) var<storage, read> affine: array<f32>;
// [images, side, side, outer]
@group(0) @binding(4) var<storage, read_write> pixels: array<f32>;
// [images, side, side]
@group(0) @binding(5) var<storage, read_write> grey: array<f32>;
// [images, side / 2, side / 2]
@group(0) @binding(6) var<storage, read> below: array<f32>;

// 0: the sum of all products; 1: doubling; 2: Winograd F(2x2); 3: Winograd F(4x4).
override FORM: u32 = 0u;
// Pixels along the edge of a tile: 1, 2, 2, 4.
override EDGE: u32 = 1u;

var<workgroup> shares: array<f32, 1024>;

fn at(matrix: u32, tile: u32, channel: u32) -> f32 {
    return products[(matrix * shape.images * shape.rows + tile) * shape.outer + channel];
}

// Four pixels of a line out of six products.
fn line_of_six(a: f32, b: f32, c: f32, d: f32, e: f32, f: f32) -> vec4<f32> {
    let near = b + c;
    let apart = b - c;
    let far = d + e;
    let wide = d - e;
    return vec4<f32>(a + near + far, apart + wide * 2.0, near + far * 4.0, apart + wide * 8.0 + f);
}

fn pixels_of(tile: u32, channel: u32) -> array<f32, 16> {
    var out: array<f32, 16>;
    if FORM == 0u {
        var sum = 0.0;
        for (var matrix = 0u; matrix < shape.matrices; matrix++) {
            sum += at(matrix, tile, channel);
        }
        out[0] = sum;
    } else if FORM == 1u {
        let all = at(0u, tile, channel);
        let left = at(1u, tile, channel);
        let right = at(2u, tile, channel);
        let top = all + at(3u, tile, channel);
        let bottom = all + at(4u, tile, channel);
        out[0] = top + left + at(5u, tile, channel);
        out[1] = top + right + at(6u, tile, channel);
        out[2] = bottom + left + at(7u, tile, channel);
        out[3] = bottom + right + at(8u, tile, channel);
    } else if FORM == 2u {
        var lines: array<vec2<f32>, 4>;
        for (var i = 0u; i < 4u; i++) {
            let a = at(i * 4u, tile, channel);
            let b = at(i * 4u + 1u, tile, channel);
            let c = at(i * 4u + 2u, tile, channel);
            let d = at(i * 4u + 3u, tile, channel);
            lines[i] = vec2<f32>(a + b + c, b - c - d);
        }
        let upper = lines[0] + lines[1] + lines[2];
        let lower = lines[1] - lines[2] - lines[3];
        out[0] = upper.x;
        out[1] = upper.y;
        out[2] = lower.x;
        out[3] = lower.y;
    } else {
        var lines: array<vec4<f32>, 6>;
        for (var i = 0u; i < 6u; i++) {
            lines[i] = line_of_six(
                at(i * 6u, tile, channel),
                at(i * 6u + 1u, tile, channel),
                at(i * 6u + 2u, tile, channel),
                at(i * 6u + 3u, tile, channel),
                at(i * 6u + 4u, tile, channel),
                at(i * 6u + 5u, tile, channel),
            );
        }
        let near = lines[1] + lines[2];
        let apart = lines[1] - lines[2];
        let far = lines[3] + lines[4];
        let wide = lines[3] - lines[4];
        let first = lines[0] + near + far;
        let second = apart + wide * 2.0;
        let third = near + far * 4.0;
        let fourth = apart + wide * 8.0 + lines[5];
        out = array<f32, 16>(
            first.x, first.y, first.z, first.w,
            second.x, second.y, second.z, second.w,
            third.x, third.y, third.z, third.w,
            fourth.x, fourth.y, fourth.z, fourth.w,
        );
    }
    return out;
}

// Adds up what the threads of each tile laid into `shares`, a row of 64 for each pixel of a tile.
fn add_shares(thread: u32, lane: u32) {
    for (var step = shape.lanes / 2u; step > 0u; step /= 2u) {
        workgroupBarrier();
        if lane < step {
            for (var p = 0u; p < EDGE * EDGE; p++) {
                shares[p * 64u + thread] += shares[p * 64u + thread + step];
            }
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(64)
fn finish(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = thread % shape.lanes;
    let tile = (group.y * groups.x + group.x) * (64u / shape.lanes) + thread / shape.lanes;
    let inside = tile < shape.images * shape.rows;
    let image = tile / shape.rows;
    let unit = tile % shape.rows;
    let across = shape.side / EDGE;
    // The tile's first pixel among those of all images.
    let corner = (image * shape.side + unit / across * EDGE) * shape.side + unit % across * EDGE;

    var squares: array<f32, 16>;
    if inside {
        for (var channel = lane; channel < shape.outer; channel += shape.lanes) {
            let values = pixels_of(tile, channel);
            let bias = constants[channel];
            for (var p = 0u; p < EDGE * EDGE; p++) {
                let sum = values[p] + bias;
                let value = select(0.2 * sum, sum, sum > 0.0);
                squares[p] += value * value;
                pixels[(corner + p / EDGE * shape.side + p % EDGE) * shape.outer + channel] = value;
            }
        }
    }
    for (var p = 0u; p < EDGE * EDGE; p++) {
        shares[p * 64u + thread] = squares[p];
    }
    add_shares(thread, lane);
    var norms: array<f32, 16>;
    for (var p = 0u; p < EDGE * EDGE; p++) {
        norms[p] = 1.0 / sqrt(shares[p * 64u + thread - lane] / f32(shape.channels) + 1e-8);
    }
    workgroupBarrier();

    var greys: array<f32, 16>;
    if inside {
        for (var channel = lane; channel < shape.outer; channel += shape.lanes) {
            var gamma = 1.0;
            var beta = 0.0;
            if shape.affines > 0u {
                let place = image * shape.affines + shape.affine + channel;
                gamma = affine[place];
                beta = affine[place + shape.outer];
            }
            let weight = constants[shape.outer + channel];
            for (var p = 0u; p < EDGE * EDGE; p++) {
                let place = (corner + p / EDGE * shape.side + p % EDGE) * shape.outer + channel;
                let value = pixels[place] * norms[p] * gamma + beta;
                pixels[place] = value;
                greys[p] += value * weight;
            }
        }
    }
    if shape.shows == 0u {
        return;
    }
    for (var p = 0u; p < EDGE * EDGE; p++) {
        shares[p * 64u + thread] = greys[p];
    }
    add_shares(thread, lane);
    if inside {
        for (var p = lane; p < EDGE * EDGE; p += shape.lanes) {
            let place = corner + p / EDGE * shape.side + p % EDGE;
            var value = shares[p * 64u + thread - lane] + constants[2u * shape.outer];
            if shape.skips == 1u {
                let half = shape.side / 2u;
                let row = place / shape.side;
                let y = row % shape.side;
                value += below[(image * half + y / 2u) * half + place % shape.side / 2u];
            }
            grey[place] = value;
        }
    }
}
