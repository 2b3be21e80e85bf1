//! What an operation is here: kernel, composition, adjoint; and how the framework is told of it.

use super::element::{Element, numbers};
use super::gradient;
use candle_core::backend::BackendStorage;
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, MetalStorage, Result, Shape, Storage,
    Tensor, bail,
};

/// One tensor as a kernel sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a, T> {
    pub(super) numbers: &'a [T],
    pub(super) dims: &'a [usize],
}

impl<T> View<'_, T> {
    /// The four sizes of an `[N, C, H, W]` tensor.
    pub(super) fn dims4(&self) -> Result<[usize; 4]> {
        match *self.dims {
            [n, c, h, w] => Ok([n, c, h, w]),
            _ => bail!("expected a tensor [N, C, H, W], found the shape {:?}", self.dims),
        }
    }
}

/// An operation on `N` tensors.
pub(super) trait Operation<const N: usize>: Clone + Send + Sync + 'static {
    /// Its name in error messages.
    const NAME: &'static str;
    /// Which arguments are weights: they get no gradient inside `without_weight_gradients`.
    const WEIGHTS: [bool; N];

    /// The result on the CPU and its shape.
    fn kernel<T: Element>(&self, args: [View<T>; N]) -> Result<(Vec<T>, Shape)>;

    /// The same by framework operations, for devices that have no kernel. Its gradient is never asked for.
    fn compose(&self, args: [&Tensor; N]) -> Result<Tensor>;

    /// Gradients of those arguments that are `wanted`, from the gradient `g` of the result `y`.
    ///
    /// Every tensor that this treats as constant must be detached: the framework expects a gradient for each tensor of
    /// the graph it can reach.
    fn adjoint(&self, args: [&Tensor; N], y: &Tensor, g: &Tensor, wanted: [bool; N]) -> Result<[Option<Tensor>; N]>;
}

/// Lets the framework call an [`Operation`].
struct Adapter<O>(O);

impl<O> Adapter<O> {
    fn on_cpu<const N: usize>(&self, args: [(&CpuStorage, &Layout); N]) -> Result<(CpuStorage, Shape)>
    where
        O: Operation<N>,
    {
        match args[0].0.dtype() {
            DType::F32 => self.run::<f32, N>(args),
            DType::F64 => self.run::<f64, N>(args),
            other => bail!("{} works on f32 and f64, not {other:?}", O::NAME),
        }
    }

    fn run<T: Element, const N: usize>(&self, args: [(&CpuStorage, &Layout); N]) -> Result<(CpuStorage, Shape)>
    where
        O: Operation<N>,
    {
        let empty = View { numbers: &[] as &[T], dims: &[] as &[usize] };
        let mut views = [empty; N];
        for (view, (storage, layout)) in views.iter_mut().zip(args) {
            *view = View { numbers: numbers(storage, layout)?, dims: layout.dims() };
        }
        let (out, shape) = self.0.kernel(views)?;
        Ok((T::to_cpu_storage_owned(out), shape))
    }

    /// Runs the composition on tensors that hold copies of the arguments' storage, and takes the storage of the result.
    fn composed<const N: usize>(&self, args: [(Storage, &Layout); N]) -> Result<(Storage, Shape)>
    where
        O: Operation<N>,
    {
        let tensors = args
            .map(|(storage, layout)| Tensor::from_storage(storage, layout.shape().clone(), BackpropOp::none(), false));
        let out = self.0.compose(tensors.each_ref())?.contiguous()?;
        let (storage, layout) = out.storage_and_layout();
        Ok((storage.try_clone(layout)?, out.shape().clone()))
    }

    fn on_cuda<const N: usize>(&self, args: [(&CudaStorage, &Layout); N]) -> Result<(CudaStorage, Shape)>
    where
        O: Operation<N>,
    {
        let owned = copies(args, Storage::Cuda)?;
        match self.composed(owned)? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => bail!("{} left the device", O::NAME),
        }
    }

    fn on_metal<const N: usize>(&self, args: [(&MetalStorage, &Layout); N]) -> Result<(MetalStorage, Shape)>
    where
        O: Operation<N>,
    {
        let owned = copies(args, Storage::Metal)?;
        match self.composed(owned)? {
            (Storage::Metal(storage), shape) => Ok((storage, shape)),
            _ => bail!("{} left the device", O::NAME),
        }
    }

    fn backward<const N: usize>(&self, args: [&Tensor; N], y: &Tensor, g: &Tensor) -> Result<[Option<Tensor>; N]>
    where
        O: Operation<N>,
    {
        let tracked = args.map(Tensor::track_op);
        let skip = gradient::skips_weights();
        let mut wanted = tracked;
        for (wanted, weight) in wanted.iter_mut().zip(O::WEIGHTS) {
            *wanted &= !(weight && skip);
        }
        let mut grads = if gradient::keeps_graph() {
            self.0.adjoint(args, y, g, wanted)?
        } else {
            let args = args.map(Tensor::detach);
            self.0.adjoint(args.each_ref(), &y.detach(), &g.detach(), wanted)?
        };
        for i in 0..N {
            if tracked[i] && !wanted[i] && !args[i].is_variable() {
                // The weight is computed from a variable: the framework insists on a gradient for it.
                grads[i] = Some(args[i].zeros_like()?);
            }
        }
        Ok(grads)
    }
}

/// Copies of the arguments' storage, contiguous.
fn copies<'a, S: BackendStorage, const N: usize>(
    args: [(&S, &'a Layout); N],
    wrap: fn(S) -> Storage,
) -> Result<[(Storage, &'a Layout); N]> {
    let mut out = Vec::with_capacity(N);
    for (storage, layout) in args {
        // `try_clone` copies the whole buffer; arguments that lie inside a larger one are brought to its start.
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("an operation was given a tensor that is not contiguous")
        };
        let copied = wrap(storage.try_clone(layout)?);
        let copied = if start == 0 { copied } else { narrowed(copied, start, end)? };
        out.push((copied, layout));
    }
    match out.try_into() {
        Ok(array) => Ok(array),
        Err(_) => bail!("an operation was given the wrong number of tensors"),
    }
}

/// The part `start..end` of a storage, as a storage of its own.
fn narrowed(storage: Storage, start: usize, end: usize) -> Result<Storage> {
    let whole = Tensor::from_storage(storage, end, BackpropOp::none(), false);
    let part = whole.narrow(0, start, end - start)?.force_contiguous()?;
    let (storage, layout) = part.storage_and_layout();
    storage.try_clone(layout)
}

impl<O: Operation<1>> CustomOp1 for Adapter<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu([(s, l)])
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda([(s, l)])
    }

    fn metal_fwd(&self, s: &MetalStorage, l: &Layout) -> Result<(MetalStorage, Shape)> {
        self.on_metal([(s, l)])
    }

    fn bwd(&self, a: &Tensor, y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let [a] = self.backward([a], y, g)?;
        Ok(a)
    }
}

impl<O: Operation<2>> CustomOp2 for Adapter<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu([(s1, l1), (s2, l2)])
    }

    fn cuda_fwd(&self, s1: &CudaStorage, l1: &Layout, s2: &CudaStorage, l2: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda([(s1, l1), (s2, l2)])
    }

    fn metal_fwd(
        &self,
        s1: &MetalStorage,
        l1: &Layout,
        s2: &MetalStorage,
        l2: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.on_metal([(s1, l1), (s2, l2)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, y: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [a, b] = self.backward([a, b], y, g)?;
        Ok((a, b))
    }
}

impl<O: Operation<3>> CustomOp3 for Adapter<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.on_cpu([(s1, l1), (s2, l2), (s3, l3)])
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.on_cuda([(s1, l1), (s2, l2), (s3, l3)])
    }

    fn metal_fwd(
        &self,
        s1: &MetalStorage,
        l1: &Layout,
        s2: &MetalStorage,
        l2: &Layout,
        s3: &MetalStorage,
        l3: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.on_metal([(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = self.backward([a, b, c], y, g)?;
        Ok((a, b, c))
    }
}

/// Applies an operation to one tensor.
pub(super) fn apply1<O: Operation<1>>(operation: O, a: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op1(Adapter(operation))
}

/// Applies an operation to two tensors.
pub(super) fn apply2<O: Operation<2>>(operation: O, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op2(&b.contiguous()?, Adapter(operation))
}

/// Applies an operation to three tensors.
pub(super) fn apply3<O: Operation<3>>(operation: O, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    a.contiguous()?.apply_op3(&b.contiguous()?, &c.contiguous()?, Adapter(operation))
}

/// The kernel of an operation on tensors of the CPU, without gradient.
#[cfg(test)]
pub(super) fn run_kernel<O: Operation<N>, const N: usize>(operation: &O, args: [&Tensor; N]) -> Result<Tensor> {
    let args = args.map(|t| t.contiguous().unwrap_or_else(|_| t.clone()));
    let guards = args.each_ref().map(|t| t.storage_and_layout());
    let mut pairs = Vec::with_capacity(N);
    for (storage, layout) in &guards {
        match &**storage {
            Storage::Cpu(storage) => pairs.push((storage, *layout)),
            _ => bail!("the kernels run on the CPU"),
        }
    }
    let Ok(pairs) = pairs.try_into() else { bail!("wrong number of tensors") };
    let (storage, shape) = Adapter(operation.clone()).on_cpu::<N>(pairs)?;
    Ok(Tensor::from_storage(Storage::Cpu(storage), shape, BackpropOp::none(), false))
}
