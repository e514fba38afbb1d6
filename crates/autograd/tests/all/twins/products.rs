//! Matrix products and convolutions.

use super::{other, twins};
use wengert_autograd::Var;
use wengert_tensor::{Conv, Float, Tensor, VolumeConv};

const MATRICES: &[&[&[usize]]] = &[
    &[&[3, 5], &[5, 4]],
    &[&[1, 70], &[70, 33]],
    &[&[2, 3, 4], &[4, 5]],
    &[&[5], &[5]],
    &[&[3, 4], &[4]],
    &[&[2, 1, 3, 4], &[3, 4, 2]],
];

twins! { matrix_products on MATRICES, 2:
    matmul |x, y| x.matmul(other(&y));
}

/// `einsum` and `tensordot` of tensors and of variables.
trait Einsum: Sized {
    fn einsum(equation: &str, operands: [&Self; 2]) -> Self;
}
impl<T: Float> Einsum for Tensor<T> {
    fn einsum(equation: &str, operands: [&Self; 2]) -> Self {
        Tensor::einsum(equation, &operands)
    }
}
impl<T: Float> Einsum for Var<'_, T> {
    fn einsum(equation: &str, operands: [&Self; 2]) -> Self {
        Var::einsum(equation, &operands.map(|x| *x))
    }
}

const PLAIN: &[&[&[usize]]] = &[&[&[3, 5], &[5, 4]], &[&[1, 70], &[70, 33]], &[&[4, 1], &[1, 9]]];

twins! { contractions_of_matrices on PLAIN, 2:
    product |x, y| Einsum::einsum("ij,jk", [&x.reshape(x.shape()), &y.reshape(y.shape())]);
    columns |x, y| Einsum::einsum("ij,jk->ki", [&x.reshape(x.shape()), &y.reshape(y.shape())]);
    outer_sum |x, y| Einsum::einsum("ij,lk->ik", [&x.reshape(x.shape()), &y.reshape(y.shape())]);
    outer_four |x, y| Einsum::einsum("ij,lk->kjil", [&x.reshape(x.shape()), &y.reshape(y.shape())]);
    tensordot |x, y| x.tensordot(other(&y), &[1], &[0]);
    outer |x, y| x.reshape(-1).outer(other(&y.reshape(-1)));
    dot |x, y| x.select(0, 0).dot(other(&y.select(1, 0)));
    mv |x, y| x.mv(other(&y.select(1, 0)));
    bmm |x, y| x.unsqueeze(0).bmm(other(&y.unsqueeze(0)));
    addmm |x, y| y.select(0, 0).addmm(other(&x), other(&y), 0.5, 3.0);
    addmm_sum |x, y| y.select(0, 0).addmm(other(&x), other(&y), 1.0, 1.0);
    baddbmm |x, y| y.select(0, 0).baddbmm(other(&x.unsqueeze(0)), other(&y.unsqueeze(0)), 0.5, 3.0);
}

const PLANES: &[&[&[usize]]] = &[&[&[2, 3, 6, 7], &[4, 3, 3, 2]], &[&[1, 3, 5, 5], &[2, 3, 1, 1]]];

twins! { convolutions on PLANES, 2:
    conv2d |x, w| x.conv2d(other(&w), None, &Conv::new().padding(1));
}

const TRANSPOSED: &[&[&[usize]]] =
    &[&[&[2, 4, 6, 7], &[4, 3, 3, 2]], &[&[1, 3, 5, 5], &[3, 2, 1, 1]]];

twins! { transposed_convolutions on TRANSPOSED, 2:
    plain |x, w| x.conv_transpose2d(other(&w), None, &Conv::new(), [0, 0]);
    strided |x, w| x.conv_transpose2d(other(&w), None, &Conv::new().stride(2), [1, 0]);
}

const VOLUMES: &[&[&[usize]]] =
    &[&[&[2, 4, 3, 4, 5], &[2, 2, 2, 3, 1], &[2]], &[&[0, 2, 3, 4, 5], &[2, 1, 1, 1, 2], &[2]]];

twins! { convolutions_of_volumes on VOLUMES, 3:
    conv3d |x, w, b| x.conv3d(other(&w), Some(other(&b)), &VolumeConv::new().groups(2).padding([1, 0, 2]));
    conv3d_strided |x, w, b| x.conv3d(other(&w), Some(other(&b)), &VolumeConv::new().groups(2).stride([3, 2, 1]));
}

const VOLUMES_BACK: &[&[&[usize]]] =
    &[&[&[2, 2, 3, 4, 5], &[2, 2, 2, 3, 1], &[4]], &[&[1, 2, 1, 4, 5], &[2, 1, 1, 1, 2], &[2]]];

twins! { transposed_convolutions_of_volumes on VOLUMES_BACK, 3:
    plain |x, w, b| x.conv_transpose3d(other(&w), Some(other(&b)), &VolumeConv::new().groups(2), [0; 3]);
    strided |x, w, b| x.conv_transpose3d(other(&w), Some(other(&b)), &VolumeConv::new().groups(2).stride([3, 2, 1]), [2, 1, 0]);
}

const SIGNALS: &[&[&[usize]]] =
    &[&[&[2, 3, 9], &[4, 3, 3], &[4]], &[&[1, 3, 50], &[1, 3, 1], &[1]]];

const SIGNALS_BACK: &[&[&[usize]]] =
    &[&[&[2, 4, 9], &[4, 3, 3], &[3]], &[&[1, 3, 50], &[3, 2, 1], &[2]]];

twins! { transposed_convolutions_of_signals on SIGNALS_BACK, 3:
    plain |x, w, b| x.conv_transpose1d(other(&w), Some(other(&b)), &Conv::new(), 0);
    strided |x, w, b| x.conv_transpose1d(other(&w), Some(other(&b)), &Conv::new().stride(2), 1);
}

twins! { convolutions_of_signals on SIGNALS, 3:
    conv1d |x, w, b| x.conv1d(other(&w), Some(other(&b)), &Conv::new().padding(1));
}
