//! Convolutions and their gradients as products of filters, windows and outputs.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::super::launch::contiguous;
use super::{Bias, DEPTH, KernelForm, Operands, Product, ProductSizesLaunch, Tile, launch};
use crate::backend::convolution_sizes::ConvolutionSizes;

/// A convolution, by its sizes.
#[derive(Debug, Clone, Copy)]
pub struct Convolution(pub ConvolutionSizes);

impl Convolution {
    fn form(&self, operands: Operands, m: usize, n: usize, bias: bool, ones: bool) -> KernelForm {
        let sliding = self.0.sliding;
        KernelForm {
            operands,
            tile: Tile::of(m, n + usize::from(ones)),
            kernel_height: self.0.kernel_height,
            kernel_width: self.0.kernel_width,
            stride_y: sliding.stride[0],
            stride_x: sliding.stride[1],
            dilation_y: sliding.dilation[0],
            dilation_x: sliding.dilation[1],
            padding_top: sliding.before[0],
            padding_left: sliding.before[1],
            by_taps: match operands {
                Operands::Forward => self.channels().is_multiple_of(DEPTH),
                Operands::Images => self.0.filters_per_group().is_multiple_of(DEPTH),
                Operands::Matrices | Operands::Filters => false,
            },
            bias: if bias { Bias::OfRow } else { Bias::No },
            ones,
        }
    }

    /// What [`window_value`] and [`output_value`] need of a form.
    pub fn window_form(&self) -> KernelForm {
        self.form(Operands::Forward, 1, 1, false, false)
    }

    /// What [`window_value`] and [`output_value`] need of sizes.
    pub fn window_sizes<R: CubeRuntime>(&self) -> ProductSizesLaunch<R> {
        self.sizes([0; 3], [0, 1])
    }

    /// Channels of a group.
    fn channels(&self) -> usize {
        self.0.channels / self.0.sliding.groups
    }

    fn sizes<R: CubeRuntime>(&self, sizes: [usize; 3], parts: [usize; 2]) -> ProductSizesLaunch<R> {
        let [m, n, k] = sizes;
        let [part, parts] = parts;
        let of = &self.0;
        ProductSizesLaunch::new(
            m,
            n,
            k,
            part,
            parts,
            0,
            0,
            0,
            0,
            0,
            0,
            self.channels(),
            of.channels,
            of.filters_per_group(),
            of.filters,
            of.height,
            of.width,
            of.out_height,
            of.out_width,
        )
    }

    /// Images and filters to outputs.
    pub fn forward<R: CubeRuntime>(
        &self,
        x: CubeTensor<R>,
        weight: CubeTensor<R>,
        bias: Option<CubeTensor<R>>,
    ) -> CubeTensor<R> {
        let of = &self.0;
        let sizes = [of.filters_per_group(), of.batch * of.places(), of.seen()];
        let form = self.form(Operands::Forward, sizes[0], sizes[1], bias.is_some(), false);
        let shape = vec![of.batch, of.filters, of.out_height, of.out_width];
        self.made(weight, x, bias, sizes, form, shape).0
    }

    /// Outputs and filters to images.
    pub fn images<R: CubeRuntime>(
        &self,
        outputs: CubeTensor<R>,
        weight: CubeTensor<R>,
        bias: Option<CubeTensor<R>>,
    ) -> CubeTensor<R> {
        let of = &self.0;
        let [stride_y, stride_x] = of.sliding.stride;
        // Of one phase, the largest.
        let places = of.height.div_ceil(stride_y) * of.width.div_ceil(stride_x);
        let sizes = [
            self.channels(),
            of.batch * places,
            of.filters_per_group() * of.kernel_height * of.kernel_width,
        ];
        let form = self.form(Operands::Images, sizes[0], sizes[1], bias.is_some(), false);
        let shape = vec![of.batch, of.channels, of.height, of.width];
        self.made(weight, outputs, bias, sizes, form, shape).0
    }

    /// Images and outputs to filters and, if wanted, to the bias.
    pub fn filters<R: CubeRuntime>(
        &self,
        x: CubeTensor<R>,
        outputs: CubeTensor<R>,
        bias: bool,
    ) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
        let of = &self.0;
        let sizes = [of.filters_per_group(), of.seen(), of.batch * of.places()];
        let form = self.form(Operands::Filters, sizes[0], sizes[1], false, bias);
        let shape = vec![
            of.filters,
            self.channels(),
            of.kernel_height,
            of.kernel_width,
        ];
        self.made(outputs, x, None, sizes, form, shape)
    }

    fn made<R: CubeRuntime>(
        &self,
        left: CubeTensor<R>,
        right: CubeTensor<R>,
        bias: Option<CubeTensor<R>>,
        sizes: [usize; 3],
        form: KernelForm,
        shape: Vec<usize>,
    ) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
        let product = Product {
            batch: self.0.sliding.groups,
            sizes,
            form,
            may_have_parts: form.operands == Operands::Filters,
        };
        let (left, right) = (contiguous(left), contiguous(right));
        let sizes = |parts| self.sizes(sizes, parts);
        launch(left, right, bias, product, sizes, shape, self.0.filters)
    }
}
