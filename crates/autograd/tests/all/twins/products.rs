//! Matrix products and convolutions.

use super::{other, twins};
use wengert_tensor::{Conv, VolumeConv};

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
