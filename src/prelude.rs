//! The names that most programs use: `use wengert::prelude::*;`
//!
//! The prelude contains no name of the standard library. Names that are needed less often are in
//! the modules of the library: [`nn::init`](crate::nn::init),
//! [`autograd::gradcheck`](crate::autograd::gradcheck()), [`optim::UpdateRule`](crate::optim::UpdateRule).

pub use wengert_autograd::{
    Buffer, Gradients, Mode, Param, Tape, Var, value_and_grad, value_and_grad_with,
};
pub use wengert_data::{
    Cifar10, Cifar100, DataLoader, Dataset, Digits, Emnist, FashionMnist, Iris, Mnist,
    RandomAffine, RandomCrop, RandomHorizontalFlip, Standardize, Subset, TensorDataset, Zipcode,
    random_split, stratified_split,
};
#[cfg(feature = "linalg")]
pub use wengert_linalg::Linalg;
pub use wengert_nn::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d, BatchNorm1d,
    BatchNorm2d, BatchNorm3d, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d,
    CrossEntropy, Dropout, Dropout2d, Elu, Embedding, Flatten, Gelu, GroupNorm, Gru, Identity,
    Lambda, Layer, LayerNorm, LeakyRelu, Linear, LogSoftmax, Lstm, MaxPool1d, MaxPool2d, MaxPool3d,
    Mish, Module, MultiHeadAttention, PRelu, Reduction, Relu, Residual, RmsNorm, Rnn, Sequential,
    Sigmoid, Silu, Softmax, Softplus, Tanh, TransformerDecoder, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer, Upsample, bce, bce_with_logits, cross_entropy,
    huber, kl_div, l1, load_state_dict, mse, nll, sequential, smooth_l1, state_dict,
};
pub use wengert_optim::{
    Adadelta, Adagrad, Adam, CosineAnnealingLr, Group, OneCycleLr, Optimizer, ReduceLrOnPlateau,
    Schedule, Sgd, StepLr,
};
pub use wengert_tensor::{Conv, Element, Float, Padding, Philox, Pool, Shape, Tensor};
#[cfg(feature = "train")]
pub use wengert_train::{
    Callback, ClipNorm, ConfusionMatrix, Context, Criterion, EarlyStopping, History, Objective,
    Outcome, Step, StepContext, TrainStep, Trainer, evaluate,
};
