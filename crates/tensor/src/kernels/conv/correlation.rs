//! A correlation of stride 1 over planes: what the convolution is, and its adjoint in the input.

use super::planes::Planes;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemm::{Correlate, Gather, Kernels, Run, Use, with_buffer};
use crate::machine::{Shared, cost, ranges};
use std::ops::Range;

/// Steps of the sum that a tile takes at once, where its pixels are gathered: bytes that stay in
/// the first cache, and steps for which sums are worth a way to memory and back.
const NEAR: usize = 20 << 10;
const WORTH: usize = 192;
/// The same, in steps, where pixels are read in place. Neighbouring steps read neighbouring pixels.
const STEPS: usize = 400;
/// Rows that cross the end of a row of pixels are joined anew for every panel of weights; for more
/// panels than this they are gathered once.
const JOINED: usize = 3;

/// Cuts `len` into `parts` nearly equal pieces, longer ones first: where each starts and ends.
pub fn pieces(len: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let (each, longer) = (len / parts.max(1), len % parts.max(1));
    (0..parts).map(move |i| {
        let start = i * each + i.min(longer);
        start..start + each + usize::from(i < longer)
    })
}

/// Where to find a weight: that of map i in step p is at `i*map + steps[p]`, in each group.
pub struct Weights {
    pub group: usize,
    pub map: usize,
    pub steps: Vec<usize>,
}

/// Maps of `pixels` pixels, each the sum over steps of a weight times the planes, shifted.
pub struct Correlation<T: 'static> {
    kernels: &'static Kernels<T>,
    /// Maps.
    maps: usize,
    pub pixels: usize,
    /// For each step, how far on from the first pixel of a tile it reads.
    shifts: Vec<usize>,
    /// The same in a tile whose pixels have been gathered.
    gathered: Vec<usize>,
    /// Steps in a block.
    longest: usize,
    /// Height and number of the panels of weights; the second are one lower.
    panels: [(usize, usize); 2],
    tiles: Vec<Tile>,
    runs: Vec<Run>,
}

/// Columns of the result that one call of a kernel computes.
struct Tile {
    vectors: usize,
    /// Its first pixel.
    first: usize,
    /// Lanes in use in the last vector.
    last: usize,
    /// Where its vectors begin in a plane, if none crosses the end of a row.
    begins: [isize; 4],
    /// Whether some do and are joined: from the given lane on they are in the next row. The place is
    /// that of lane 0, which lies before the row by as many pixels as the vector has in the row
    /// above: of planes that no tap reads, and so are narrower than the result, before the plane.
    joined: bool,
    next: [(isize, usize); 4],
    /// The runs to be gathered otherwise.
    runs: Range<usize>,
}

impl<T: Gemm> Correlation<T> {
    /// For maps of `out` pixels over planes with this distance between rows.
    pub fn new(maps: usize, shifts: Vec<usize>, out: [usize; 2], pitch: usize) -> Self {
        let kernels = T::kernels();
        // Few maps leave registers for more pixels.
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
        if !this.runs.is_empty() {
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
            let (mut crosses, mut joins) = (false, may_join);
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
            let start = self.runs.len();
            let mut pixel = if crosses && !joins { first } else { end };
            while pixel < end {
                self.runs.push(Run { lane: pixel - first, from: place(pixel) });
                pixel += lanes.min(width - pixel % width);
            }
            self.tiles.push(Tile {
                vectors: tile.len(),
                first,
                last: end - (tile.end - 1) * lanes,
                begins,
                joined: crosses && joins,
                next,
                runs: start..self.runs.len(),
            });
        }
    }

    /// How many tiles there are: what can be shared among threads.
    pub fn tiles(&self) -> usize {
        self.tiles.len()
    }

    /// Elements of the packed weights of a group.
    pub fn packed_len(&self) -> usize {
        self.maps * self.shifts.len()
    }

    /// Elements of a buffer for gathered pixels.
    pub fn gathered_len(&self) -> usize {
        self.gathered.last().map_or(0, |last| last + 5 * self.kernels.lanes)
    }

    /// Elements behind the planes that are read, but do not count.
    pub fn excess() -> usize {
        T::kernels().lanes
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let steps = self.shifts.len();
        pieces(steps, steps.div_ceil(self.longest).max(1))
    }

    /// Packs the weights in the order in which they are read.
    pub fn pack(&self, groups: usize, w: &[T], weights: &Weights, packed: &mut [T]) {
        let mut to = packed.iter_mut();
        let blocks = (0..groups).flat_map(|group| self.blocks().map(move |block| (group, block)));
        for (group, block) in blocks {
            let w = &w[group * weights.group..];
            let mut first = 0;
            for (height, count) in self.panels {
                for _ in 0..count {
                    for &step in &weights.steps[block.clone()] {
                        for i in first..first + height {
                            if let Some(to) = to.next() {
                                *to = w[i * weights.map + step];
                            }
                        }
                    }
                    first += height;
                }
            }
        }
    }

    /// The maps of all images and groups, one after the other in `to`.
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
        with_buffer(Use::Weights, groups * packed_len, |packed: *mut T| {
            // SAFETY: the buffer has this length, and its numbers were written before.
            let packed = unsafe { std::slice::from_raw_parts_mut(packed, groups * packed_len) };
            self.pack(groups, w, weights, packed);
            let packed = &*packed;
            let (source, map) = (planes.image_len(), self.maps * self.pixels);
            let units = to.len() / map.max(1);
            let products = cost(&[to.len(), self.shifts.len()]);
            let behind = planes.len() + Self::excess();
            let out = Shared(to.as_mut_ptr());
            share(
                [units, self.tiles()],
                products,
                behind + self.gathered_len(),
                |unit, tiles, buffer: *mut T| {
                    let group = unit % groups;
                    let packed = &packed[group * packed_len..][..packed_len];
                    let start = start.map(|start| &start[group * self.maps..]);
                    // SAFETY: the image is in `from`, its planes and the gathered pixels fit the
                    // buffer, and no other call writes these tiles.
                    unsafe {
                        let mut image = from.as_ptr().add(unit * source);
                        // An image that is its own plane is read in place, if enough follows it.
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

    /// Computes the tiles of this range, in all maps. `start`: what the sums begin with, if not zero.
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
                if !tile.runs.is_empty() {
                    let pitch = self.gathered.get(1).copied().unwrap_or_default();
                    let runs = &self.runs[tile.runs.clone()];
                    let job = Gather { runs, src: planes, shifts, pitch, dst: gathered };
                    // SAFETY: the runs lie in the planes, which have an excess, as has the buffer.
                    unsafe { (self.kernels.gather)(&job) };
                    call.b = [0, 1, 2, 3]
                        .map(|j| gathered.wrapping_add(j * self.kernels.lanes).cast_const());
                    call.shifts = self.gathered.as_ptr();
                }
                let kernels = self.kernels.correlate[usize::from(tile.joined)][tile.vectors - 1];
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

/// Shares the maps of `units` images, each in `parts`, among threads: calls `work` with an image,
/// a range of its parts, and a buffer of `room` elements that were zero for the first image.
pub fn share<T: Gemm>(
    [units, parts]: [usize; 2],
    products: usize,
    room: usize,
    work: impl Fn(usize, Range<usize>, *mut T) + Sync,
) {
    ranges(units * parts, products / 8, 1, |range| {
        with_buffer(Use::Images, room, |buffer: *mut T| {
            // SAFETY: the buffer has this length.
            unsafe { buffer.write_bytes(0, room) };
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

impl Planes {
    /// The shifts of all steps, channel by channel: `taps` are a phase and a distance in its plane.
    pub fn shifts(&self, taps: &[(usize, [usize; 2])]) -> Vec<usize> {
        let tap = |channel, &(phase, [row, col]): &(usize, [usize; 2])| {
            self.plane(channel, phase) + row * self.pitch + col
        };
        (0..self.channels).flat_map(|c| taps.iter().map(move |t| tap(c, t))).collect()
    }
}
