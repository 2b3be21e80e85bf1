// A dense layer: each image's vector times a matrix, plus a bias.
//
// Few images share many weights, so that reading them is the work: eight threads share the rows of four columns.

// [images, inner]
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
// [inner, outer]
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
// [outer]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
// [images, outer]
@group(0) @binding(4) var<storage, read_write> sums: array<vec4<f32>>;

var<workgroup> shares: array<vec4<f32>, 128>;

@compute @workgroup_size(16, 8)
fn dense(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let quads = shape.outer / 4u;
    let column = group.x * 16u + local.x;
    let image = group.y;
    var sum = vec4<f32>(0.0);
    if column < quads {
        for (var row = local.y; row < shape.inner; row += 8u) {
            sum += vectors[image * shape.inner + row] * weights[row * quads + column];
        }
    }
    shares[local.y * 16u + local.x] = sum;
    workgroupBarrier();
    if local.y == 0u && column < quads {
        var all = bias[column];
        for (var share = 0u; share < 8u; share++) {
            all += shares[share * 16u + local.x];
        }
        sums[image * quads + column] = all;
    }
}
