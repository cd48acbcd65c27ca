//! Products of matrices that lie in memory.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::super::launch::contiguous;
use super::{Bias, KernelForm, Operands, Product, ProductSizesLaunch, Tile, launch};
use crate::backend::passes::matrix_shape;

/// Two tensors of matrices, each with its strides: `[..., m, k]` and `[..., k, n]`.
pub struct Matrices<R: CubeRuntime> {
    left: CubeTensor<R>,
    right: CubeTensor<R>,
    /// Of each, from one matrix to the next, and along its axes.
    strides: [[usize; 3]; 2],
    batch: usize,
    sizes: [usize; 3],
}

impl<R: CubeRuntime> Matrices<R> {
    /// As many matrices on the left as on the right.
    pub fn of(left: &CubeTensor<R>, right: &CubeTensor<R>) -> Self {
        let ([m, k], [height, n]) = (matrix_shape(left), matrix_shape(right));
        assert_eq!(k, height, "the matrices' shapes do not fit");
        let shape = left.meta.shape();
        let batch = shape[..shape.num_dims() - 2].iter().product();
        let (left, of_left) = strided(left.clone());
        let (right, of_right) = strided(right.clone());
        Matrices {
            left,
            right,
            strides: [of_left, of_right],
            batch,
            sizes: [m, n, k],
        }
    }

    /// The product plus a number for each column.
    pub fn product(self, bias: Option<CubeTensor<R>>) -> CubeTensor<R> {
        self.made(bias, false).0
    }

    /// The product of two matrices, and the sums of the right one's columns.
    pub fn product_and_sums(self) -> (CubeTensor<R>, CubeTensor<R>) {
        let (product, sums) = self.made(None, true);
        (product, sums.expect("asked for"))
    }

    fn made(
        self,
        bias: Option<CubeTensor<R>>,
        ones: bool,
    ) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
        let [m, n, k] = self.sizes;
        let form = KernelForm {
            operands: Operands::Matrices,
            tile: Tile::of(m + usize::from(ones), n),
            kernel_height: 1,
            kernel_width: 1,
            stride_y: 1,
            stride_x: 1,
            dilation_y: 1,
            dilation_x: 1,
            padding_top: 0,
            padding_left: 0,
            by_taps: false,
            bias: match bias {
                Some(_) => Bias::OfColumn,
                None => Bias::No,
            },
            ones,
        };
        let product = Product {
            batch: self.batch,
            sizes: self.sizes,
            form,
            may_have_parts: bias.is_none(),
        };
        let [l, r] = self.strides;
        let sizes = |[part, parts]: [usize; 2]| {
            ProductSizesLaunch::new(
                m, n, k, part, parts, l[0], l[1], l[2], r[0], r[1], r[2], 0, 0, 0, 0, 1, 1, 1, 1,
            )
        };
        let mut shape = self.left.meta.shape().to_vec();
        let rank = shape.len();
        shape[rank - 1] = n;
        launch(self.left, self.right, bias, product, sizes, shape, n)
    }
}

/// The tensor, and its strides from one matrix to the next and along the two axes; copied where there are none.
fn strided<R: CubeRuntime>(x: CubeTensor<R>) -> (CubeTensor<R>, [usize; 3]) {
    let (shape, strides) = (x.meta.shape(), x.meta.strides());
    let rank = shape.num_dims();
    let leading: Vec<usize> = (0..rank - 2).filter(|&axis| shape[axis] > 1).collect();
    let is_even = leading
        .windows(2)
        .all(|pair| strides[pair[0]] == strides[pair[1]] * shape[pair[1]]);
    if !is_even {
        return strided(contiguous(x));
    }
    let step = leading.last().map_or(0, |&axis| strides[axis]);
    let strides = [step, strides[rank - 2], strides[rank - 1]];
    (x, strides)
}
