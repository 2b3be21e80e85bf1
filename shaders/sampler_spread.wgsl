// Rearranges the pixels around each tile into the left-hand sides of a layer's products.
//
// One thread for each channel of each tile; what it writes stands as [matrix, tile of all images, channel]. The forms
// are those of the processor's engine: nine neighbours, nine differences for doubling, Winograd F(2x2) and F(4x4).

// [images, side, side, inner]
@group(0) @binding(1) var<storage, read> pixels: array<f32>;
// [matrices, images * rows, inner]
@group(0) @binding(2) var<storage, read_write> spread: array<f32>;

struct Tile {
    // Number among the tiles of all images.
    number: u32,
    image: u32,
    y: i32,
    x: i32,
    channel: u32,
    inside: bool,
}

// The tile and channel of a thread; tiles have `edge` pixels along an edge.
fn tile(group: vec3<u32>, groups: vec3<u32>, thread: u32, edge: u32) -> Tile {
    let index = (group.y * groups.x + group.x) * 64u + thread;
    let number = index / shape.inner;
    let unit = number % shape.rows;
    let across = shape.side / edge;
    let place = vec2<i32>(vec2<u32>(unit / across * edge, unit % across * edge));
    let inside = number < shape.images * shape.rows;
    return Tile(number, number / shape.rows, place.x, place.y, index % shape.inner, inside);
}

fn pixel(tile: Tile, y: i32, x: i32) -> f32 {
    let side = i32(shape.side);
    if y < 0 || x < 0 || y >= side || x >= side {
        return 0.0;
    }
    let place = (tile.image * shape.side + u32(y)) * shape.side + u32(x);
    return pixels[place * shape.inner + tile.channel];
}

fn put(to: Tile, matrix: u32, value: f32) {
    spread[(matrix * shape.images * shape.rows + to.number) * shape.inner + to.channel] = value;
}

@compute @workgroup_size(64)
fn neighbours(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let here = tile(group, groups, thread, 1u);
    if !here.inside {
        return;
    }
    for (var tap = 0; tap < 9; tap++) {
        put(here, u32(tap), pixel(here, here.y + tap / 3 - 1, here.x + tap % 3 - 1));
    }
}

// Itself, what it has more than the pixel before, and what the pixel behind has more.
fn differences_of(before: f32, here: f32, behind: f32) -> vec3<f32> {
    return vec3<f32>(here, here - before, behind - here);
}

@compute @workgroup_size(64)
fn differences(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let here = tile(group, groups, thread, 1u);
    if !here.inside {
        return;
    }
    let y = here.y;
    let x = here.x;
    let above = differences_of(pixel(here, y - 1, x - 1), pixel(here, y - 1, x), pixel(here, y - 1, x + 1));
    let at = differences_of(pixel(here, y, x - 1), pixel(here, y, x), pixel(here, y, x + 1));
    let below = differences_of(pixel(here, y + 1, x - 1), pixel(here, y + 1, x), pixel(here, y + 1, x + 1));
    let top = at - above;
    let bottom = below - at;
    // In the order of the packed weights: plain, across, down, both.
    put(here, 0u, at.x);
    put(here, 1u, at.y);
    put(here, 2u, at.z);
    put(here, 3u, top.x);
    put(here, 4u, bottom.x);
    put(here, 5u, top.y);
    put(here, 6u, top.z);
    put(here, 7u, bottom.y);
    put(here, 8u, bottom.z);
}

fn line_of_four(d: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(d.x - d.z, d.y + d.z, d.z - d.y, d.y - d.w);
}

@compute @workgroup_size(64)
fn two(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let here = tile(group, groups, thread, 2u);
    if !here.inside {
        return;
    }
    var rows: array<vec4<f32>, 4>;
    for (var i = 0; i < 4; i++) {
        let y = here.y + i - 1;
        let x = here.x - 1;
        rows[i] = line_of_four(
            vec4<f32>(pixel(here, y, x), pixel(here, y, x + 1), pixel(here, y, x + 2), pixel(here, y, x + 3)),
        );
    }
    let lines = array<vec4<f32>, 4>(rows[0] - rows[2], rows[1] + rows[2], rows[2] - rows[1], rows[1] - rows[3]);
    for (var i = 0u; i < 4u; i++) {
        put(here, i * 4u, lines[i].x);
        put(here, i * 4u + 1u, lines[i].y);
        put(here, i * 4u + 2u, lines[i].z);
        put(here, i * 4u + 3u, lines[i].w);
    }
}

// Six numbers of a line in two halves.
struct Six {
    low: vec3<f32>,
    high: vec3<f32>,
}

fn line_of_six(a: f32, b: f32, c: f32, d: f32, e: f32, f: f32) -> Six {
    let even = e - c * 4.0;
    let odd = d - b * 4.0;
    let far = e - c;
    let twice = (d - b) * 2.0;
    let first = a * 4.0 - c * 5.0 + e;
    let last = b * 4.0 - d * 5.0 + f;
    return Six(vec3<f32>(first, even + odd, even - odd), vec3<f32>(far + twice, far - twice, last));
}

// Three lines of the second pass at once.
fn columns_of_six(to: Tile, first: u32, a: vec3<f32>, b: vec3<f32>, c: vec3<f32>, d: vec3<f32>, e: vec3<f32>, f: vec3<f32>) {
    let even = e - c * 4.0;
    let odd = d - b * 4.0;
    let far = e - c;
    let twice = (d - b) * 2.0;
    put_three(to, first, a * 4.0 - c * 5.0 + e);
    put_three(to, first + 6u, even + odd);
    put_three(to, first + 12u, even - odd);
    put_three(to, first + 18u, far + twice);
    put_three(to, first + 24u, far - twice);
    put_three(to, first + 30u, b * 4.0 - d * 5.0 + f);
}

fn put_three(to: Tile, matrix: u32, values: vec3<f32>) {
    put(to, matrix, values.x);
    put(to, matrix + 1u, values.y);
    put(to, matrix + 2u, values.z);
}

@compute @workgroup_size(64)
fn four(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let here = tile(group, groups, thread, 4u);
    if !here.inside {
        return;
    }
    var low: array<vec3<f32>, 6>;
    var high: array<vec3<f32>, 6>;
    for (var i = 0; i < 6; i++) {
        let y = here.y + i - 1;
        let x = here.x - 1;
        let line = line_of_six(
            pixel(here, y, x),
            pixel(here, y, x + 1),
            pixel(here, y, x + 2),
            pixel(here, y, x + 3),
            pixel(here, y, x + 4),
            pixel(here, y, x + 5),
        );
        low[i] = line.low;
        high[i] = line.high;
    }
    columns_of_six(here, 0u, low[0], low[1], low[2], low[3], low[4], low[5]);
    columns_of_six(here, 3u, high[0], high[1], high[2], high[3], high[4], high[5]);
}
