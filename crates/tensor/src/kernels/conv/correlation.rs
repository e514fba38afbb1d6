//! A correlation of stride 1 over planes. The convolution and its adjoint in the input are computed
//! with it.

use super::ConvSizes;
use super::planes::Planes;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemm::{Correlate, Gather, KernelTable, Panel, PixelRun, Use, with_buffer};
use crate::machine::{Shared, cost, ranges};
use std::any::Any;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Block size along the steps for tiles whose pixels are gathered. `NEAR` bytes of gathered pixels
/// stay in the L1 cache. A block has at least `WORTH` steps: with fewer, writing the sums to memory
/// and reading them again would not pay.
const NEAR: usize = 20 << 10;
const WORTH: usize = 192;
/// Block size along the steps for tiles whose pixels are read in place. Neighbouring steps read
/// neighbouring pixels.
const STEPS: usize = 400;
/// Maximum number of panels of weights for which vectors that cross the end of a row of pixels are
/// joined in registers. Joining is repeated for every panel; with more panels the pixels are
/// gathered once.
const JOINED: usize = 3;

/// Cuts `len` into `parts` nearly equal ranges, the longer ones first.
pub fn pieces(len: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let (each, longer) = (len / parts.max(1), len % parts.max(1));
    (0..parts).map(move |i| {
        let start = i * each + i.min(longer);
        start..start + each + usize::from(i < longer)
    })
}

/// The layout of the weights: the weight of map i in step p is at `i*map + steps[p]`, in each
/// group.
pub struct Weights {
    pub group: usize,
    pub map: usize,
    pub steps: Vec<usize>,
}

/// A correlation that computes maps of `pixels` pixels. Each pixel is the sum over steps of a
/// weight times a shifted pixel of the planes.
pub struct Correlation<T: 'static> {
    kernels: &'static KernelTable<T>,
    /// Number of maps.
    maps: usize,
    pub pixels: usize,
    /// For each step, the offset from the first pixel of a tile.
    shifts: Vec<usize>,
    /// The same offsets in the buffer of a tile whose pixels have been gathered.
    gathered: Vec<usize>,
    /// Maximum number of steps in a block.
    longest: usize,
    /// Height and number of the panels of weights, for two heights. The second is smaller by one.
    panels: [(usize, usize); 2],
    tiles: Vec<Tile>,
    runs: Vec<PixelRun>,
}

/// A tile: the columns of the result that one call of a micro-kernel computes.
struct Tile {
    vectors: usize,
    /// The first pixel.
    first: usize,
    /// Number of lanes in use in the last vector.
    last: usize,
    /// Offsets of the first pixels of the vectors in a plane.
    begins: [isize; 4],
    /// How the vectors are read.
    reading: Reading,
    /// For each vector, the offset of the second load and the first lane that is taken from it. The
    /// offset is that of lane 0, so it lies before the start of the row by the number of pixels
    /// that the vector has in the row above. If no tap reads the planes, which are then narrower
    /// than the result, the offset may lie before the plane.
    next: [(isize, usize); 4],
    /// The runs that are gathered one by one.
    runs: Range<usize>,
}

impl Tile {
    fn is_gathered(&self) -> bool {
        matches!(self.reading, Reading::GatheredVectors | Reading::GatheredRuns)
    }
}

/// How the vectors of a tile are read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    /// In place: no vector crosses the end of a row.
    InPlace,
    /// In place. Vectors that cross the end of a row are joined from two rows, for each panel of weights.
    Joined,
    /// Gathered in a buffer first. Vectors that cross the end of a row are joined from two rows.
    GatheredVectors,
    /// Gathered in a buffer first, run by run: a vector has pixels of three rows or more.
    GatheredRuns,
}

impl<T: Gemm> Correlation<T> {
    /// Creates a correlation for maps of `out` pixels over planes whose rows have the stride
    /// `pitch`.
    pub fn new(maps: usize, shifts: Vec<usize>, out: [usize; 2], pitch: usize) -> Self {
        let kernels = T::kernels();
        // With few maps, registers are free for more pixels.
        let heights = |vectors: usize| kernels.correlate[0][vectors - 1].len();
        let vectors = if maps <= heights(4) { 4 } else { kernels.vectors };
        let parts = maps.div_ceil(heights(vectors)).max(1);
        let (each, longer) = (maps / parts, maps % parts);
        let mut this = Correlation {
            kernels,
            maps,
            pixels: out[0] * out[1],
            gathered: Vec::new(),
            longest: STEPS,
            shifts,
            panels: [(each + 1, longer), (each, parts - longer)],
            tiles: Vec::new(),
            runs: Vec::new(),
        };
        this.cut(vectors, out[1], pitch, parts <= JOINED);
        if this.tiles.iter().any(Tile::is_gathered) {
            let width = vectors * kernels.lanes;
            this.longest = (NEAR / (width * size_of::<T>())).max(WORTH);
            this.gathered = (0..this.shifts.len().min(this.longest)).map(|p| p * width).collect();
        }
        this
    }

    /// Cuts the pixels into tiles.
    fn cut(&mut self, vectors: usize, width: usize, pitch: usize, may_join: bool) {
        let (lanes, pixels) = (self.kernels.lanes, self.pixels);
        let count = pixels.div_ceil(lanes);
        let place = |pixel: usize| pixel / width * pitch + pixel % width;
        for tile in pieces(count, count.div_ceil(vectors)) {
            let (first, end) = (tile.start * lanes, pixels.min(tile.end * lanes));
            let (mut begins, mut next) = ([0; 4], [(0, 0); 4]);
            let (mut crosses, mut joins) = (false, true);
            for (j, vector) in tile.clone().enumerate() {
                let pixel = vector * lanes;
                begins[j] = place(pixel) as isize;
                next[j] = (begins[j], lanes);
                let (here, used) = (width - pixel % width, lanes.min(pixels - pixel));
                if here < used {
                    crosses = true;
                    joins &= here + width >= used;
                    next[j] = (place(pixel + here) as isize - here as isize, here);
                }
            }
            let reading = match (crosses, joins) {
                (false, _) => Reading::InPlace,
                (true, true) if may_join => Reading::Joined,
                (true, true) => Reading::GatheredVectors,
                (true, false) => Reading::GatheredRuns,
            };
            let start = self.runs.len();
            let mut pixel = if reading == Reading::GatheredRuns { first } else { end };
            while pixel < end {
                self.runs.push(PixelRun { lane: pixel - first, from: place(pixel) });
                pixel += lanes.min(width - pixel % width);
            }
            self.tiles.push(Tile {
                vectors: tile.len(),
                first,
                last: end - (tile.end - 1) * lanes,
                begins,
                reading,
                next,
                runs: start..self.runs.len(),
            });
        }
    }

    /// Returns the number of tiles. Tiles are distributed over threads.
    pub fn tiles(&self) -> usize {
        self.tiles.len()
    }

    /// Returns the number of elements of the packed weights of a group.
    pub fn packed_len(&self) -> usize {
        self.maps * self.shifts.len()
    }

    /// Returns the number of elements of the buffer for gathered pixels.
    pub fn gathered_len(&self) -> usize {
        self.gathered.last().map_or(0, |last| last + 5 * self.kernels.lanes)
    }

    /// Returns the number of elements behind the planes that are loaded but not used.
    pub fn excess() -> usize {
        T::kernels().lanes
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let steps = self.shifts.len();
        pieces(steps, steps.div_ceil(self.longest).max(1))
    }

    /// Packs the weights in the order in which they are read. Steps whose weights follow each other are packed
    /// together.
    ///
    /// # Safety
    /// `packed` has room for the packed weights of all groups, and for a vector more, which is overwritten.
    pub unsafe fn pack(&self, groups: usize, w: &[T], weights: &Weights, packed: *mut T) {
        let mut to = packed;
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (group, block) in (0..groups).flat_map(|g| self.blocks().map(move |block| (g, block))) {
            runs.clear();
            for &step in &weights.steps[block] {
                match runs.last_mut() {
                    Some(run) if run.end == step => run.end += 1,
                    _ => runs.push(step..step + 1),
                }
            }
            let mut first = group * weights.group;
            for (height, count) in self.panels {
                for _ in 0..if height > 0 { count } else { 0 } {
                    for run in &runs {
                        let w = &w[first..];
                        assert!((height - 1) * weights.map + run.end <= w.len());
                        let panel = Panel {
                            src: w.as_ptr().wrapping_add(run.start),
                            stride: weights.map as isize,
                            k_stride: 1,
                            width: height,
                            valid: height,
                            k: run.len(),
                        };
                        // SAFETY: the weights are in the slice, and the caller promises the room. Panels are
                        // packed in ascending order.
                        unsafe { (self.kernels.pack)(&panel, to) };
                        to = to.wrapping_add(height * run.len());
                    }
                    first += height * weights.map;
                }
            }
        }
    }

    /// Computes the maps of all images and groups, one after the other in `to`.
    ///
    /// # Safety
    /// The shifts were made for these planes; `from` holds an image of them for each map of `to`.
    pub unsafe fn images(
        &self,
        groups: usize,
        planes: &Planes,
        weights: &Weights,
        [from, w]: [&[T]; 2],
        start: Option<&[T]>,
        to: &mut [T],
    ) {
        let packed_len = self.packed_len();
        with_buffer(Use::Weights, groups * packed_len + Self::excess(), |packed: *mut T| {
            // SAFETY: the buffer has this length, and its numbers were written before.
            let packed = unsafe {
                self.pack(groups, w, weights, packed);
                std::slice::from_raw_parts(packed.cast_const(), groups * packed_len)
            };
            let (source, map) = (planes.image_len(), self.maps * self.pixels);
            let units = to.len() / map.max(1);
            let products = cost(&[to.len(), self.shifts.len()]);
            let behind = planes.len() + Self::excess();
            let out = Shared(to.as_mut_ptr());
            // Planes that equal the image are written as a whole.
            let zeros = if planes.is_image() { 0 } else { behind };
            share(
                [units, self.tiles()],
                products,
                [zeros, behind + self.gathered_len()],
                |unit, tiles, buffer: *mut T| {
                    let group = unit % groups;
                    let packed = &packed[group * packed_len..][..packed_len];
                    let start = start.map(|start| &start[group * self.maps..]);
                    // SAFETY: the image is in `from`, its planes and the gathered pixels fit the
                    // buffer, and no other call writes these tiles.
                    unsafe {
                        let mut image = from.as_ptr().add(unit * source);
                        // An image that equals its plane is read in place, if enough elements
                        // follow it.
                        if !planes.is_image() || (unit + 1) * source + Self::excess() > from.len() {
                            planes.fill(image, buffer);
                            image = buffer;
                        }
                        let to = out.get().add(unit * map);
                        self.run(tiles, image, packed, start, buffer.add(behind), to);
                    }
                },
            );
        });
    }

    /// Computes the tiles of this range, in all maps. The sums begin with `start`, or with zero.
    ///
    /// # Safety
    /// `planes` are those that the shifts were made for, with [`excess`](Self::excess) behind;
    /// `packed` comes from [`pack`](Self::pack); `gathered` has its length; `c` has room for the
    /// maps.
    pub unsafe fn run(
        &self,
        tiles: Range<usize>,
        planes: *const T,
        packed: &[T],
        start: Option<&[T]>,
        gathered: *mut T,
        c: *mut T,
    ) {
        let zero = T::default();
        for block in self.blocks() {
            let shifts = &self.shifts[block.clone()];
            for tile in &self.tiles[tiles.clone()] {
                let mut call = Correlate {
                    k: shifts.len(),
                    a: packed[block.start * self.maps..].as_ptr(),
                    panels: 0,
                    b: tile.begins.map(|begin| planes.wrapping_offset(begin)),
                    next: tile.next.map(|(begin, lane)| (planes.wrapping_offset(begin), lane)),
                    shifts: shifts.as_ptr(),
                    start: start.map_or(&raw const zero, <[T]>::as_ptr),
                    start_step: usize::from(start.is_some()),
                    c: c.wrapping_add(tile.first),
                    ldc: self.pixels,
                    last: tile.last,
                    accumulate: block.start > 0,
                };
                if tile.is_gathered() {
                    let pitch = self.gathered.get(1).copied().unwrap_or_default();
                    let runs = &self.runs[tile.runs.clone()];
                    let by_vectors = tile.reading == Reading::GatheredVectors;
                    let vectors = if by_vectors { tile.vectors } else { 0 };
                    let (b, next) = (call.b, call.next);
                    let job = Gather {
                        vectors,
                        b,
                        next,
                        runs,
                        src: planes,
                        shifts,
                        pitch,
                        dst: gathered,
                    };
                    // SAFETY: vectors and runs lie in the planes, which have an excess, as has the buffer.
                    unsafe { (self.kernels.gather)(&job) };
                    call.b = [0, 1, 2, 3]
                        .map(|j| gathered.wrapping_add(j * self.kernels.lanes).cast_const());
                    call.shifts = self.gathered.as_ptr();
                }
                let joined = usize::from(tile.reading == Reading::Joined);
                let kernels = self.kernels.correlate[joined][tile.vectors - 1];
                for (height, count) in self.panels {
                    if count * height > 0 {
                        call.panels = count;
                        // SAFETY: packed weights and pixels are there, the tile is inside the maps.
                        unsafe { (kernels[height - 1])(&call) };
                        let rows = count * height;
                        call.a = call.a.wrapping_add(rows * shifts.len());
                        call.c = call.c.wrapping_add(rows * self.pixels);
                        call.start = call.start.wrapping_add(rows * call.start_step);
                    }
                }
            }
        }
    }
}

/// Distributes the maps of `units` images, each with `parts` parts, over threads. Calls `work` with
/// an image, a range of its parts, and a buffer of `room` elements. The first `zeros` elements are zero for the
/// first image of a thread's range, and later images see the contents that the previous one left.
pub fn share<T: Gemm>(
    [units, parts]: [usize; 2],
    products: usize,
    [zeros, room]: [usize; 2],
    work: impl Fn(usize, Range<usize>, *mut T) + Sync,
) {
    ranges(units * parts, products / 8, 1, |range| {
        with_buffer(Use::Images, room, |buffer: *mut T| {
            // SAFETY: the buffer has at least this length.
            unsafe { buffer.write_bytes(0, zeros.min(room)) };
            let mut from = range.start;
            while from < range.end {
                let unit = from / parts;
                let until = range.end.min((unit + 1) * parts);
                work(unit, from - unit * parts..until - unit * parts, buffer);
                from = until;
            }
        });
    });
}

/// What a plan depends on: all sizes of a convolution except the number of images.
type Geometry = ([usize; 3], [[usize; 2]; 5], [(usize, usize); 2]);

/// The number of plans that a thread keeps, and the most tiles that a kept plan has. With more tiles the work of one
/// image is so much that making the plan again does not count.
const KEPT_PLANS: usize = 16;
const FEW_TILES: usize = 256;

thread_local! {
    /// The plans that were used last, the latest first.
    static PLANS: RefCell<Vec<(Geometry, Rc<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// Returns the plan of kind `P` for a convolution: one that the thread has kept, or a new one. For a single small image,
/// making a plan takes as long as following it. `tiles` returns the number of tiles of a plan.
pub fn planned<P: 'static>(
    g: &ConvSizes,
    make: impl FnOnce() -> P,
    tiles: impl FnOnce(&P) -> usize,
) -> Rc<P> {
    let &ConvSizes { n: _, groups, c, o, size, out, kernel, stride, dilation, padding } = g;
    let geometry = ([groups, c, o], [size, out, kernel, stride, dilation], padding);
    let known = PLANS.with_borrow_mut(|plans| {
        let at = plans.iter().position(|(of, plan)| *of == geometry && plan.is::<P>())?;
        plans[..=at].rotate_right(1);
        Rc::clone(&plans[0].1).downcast().ok()
    });
    known.unwrap_or_else(|| {
        let plan = Rc::new(make());
        if tiles(&plan) <= FEW_TILES {
            PLANS.with_borrow_mut(|plans| {
                plans.truncate(KEPT_PLANS - 1);
                plans.insert(0, (geometry, plan.clone()));
            });
        }
        plan
    })
}

impl Planes {
    /// Returns the offsets of all steps, channel by channel. `taps` has a phase and a shift in its
    /// plane for each tap.
    pub fn shifts(&self, taps: &[(usize, [usize; 2])]) -> Vec<usize> {
        let tap = |channel, &(phase, [row, col]): &(usize, [usize; 2])| {
            self.plane(channel, phase) + row * self.pitch + col
        };
        (0..self.channels).flat_map(|c| taps.iter().map(move |t| tap(c, t))).collect()
    }
}
