// The products of a layer: one matrix product for each matrix of its form.
//
// A workgroup computes a block of 8 * TALL rows and 64 columns, a thread TALL rows and four columns of it. Sixteen rows
// of the inner dimension at a time lie in workgroup memory.

// [matrices, images * rows, inner]
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;
// [matrices, inner, outer]
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;
// [matrices, images * rows, outer]
@group(0) @binding(3) var<storage, read_write> products: array<vec4<f32>>;

// Rows of a thread: 4 or 8.
override TALL: u32 = 4u;

const DEPTH = 16u;

var<workgroup> left_block: array<f32, 1024>;
var<workgroup> right_block: array<vec4<f32>, 256>;

@compute @workgroup_size(16, 8)
fn product(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let height = 8u * TALL;
    let rows = shape.images * shape.rows;
    let inner = shape.inner / 4u;
    let outer = shape.outer / 4u;
    let top = group.y * height;
    let first = group.x * 16u;
    let matrix = group.z;
    var sums: array<vec4<f32>, 8>;
    for (var deep = 0u; deep < shape.inner; deep += DEPTH) {
        // Four numbers of a row at a time, laid down as a column.
        for (var i = thread; i < height * 4u; i += 128u) {
            let row = i / 4u;
            let quad = deep / 4u + i % 4u;
            var value = vec4<f32>(0.0);
            if top + row < rows && quad < inner {
                value = left[(matrix * rows + top + row) * inner + quad];
            }
            let place = i % 4u * 4u * height + row;
            left_block[place] = value.x;
            left_block[place + height] = value.y;
            left_block[place + 2u * height] = value.z;
            left_block[place + 3u * height] = value.w;
        }
        for (var i = thread; i < 256u; i += 128u) {
            let row = deep + i / 16u;
            let column = first + i % 16u;
            var value = vec4<f32>(0.0);
            if row < shape.inner && column < outer {
                value = right[(matrix * shape.inner + row) * outer + column];
            }
            right_block[i] = value;
        }
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let weights = right_block[depth * 16u + local.x];
            let start = depth * height + local.y * TALL;
            for (var i = 0u; i < TALL; i++) {
                sums[i] += left_block[start + i] * weights;
            }
        }
        workgroupBarrier();
    }
    let column = first + local.x;
    if column < outer {
        for (var i = 0u; i < TALL; i++) {
            let row = top + local.y * TALL + i;
            if row < rows {
                products[(matrix * rows + row) * outer + column] = sums[i];
            }
        }
    }
}
