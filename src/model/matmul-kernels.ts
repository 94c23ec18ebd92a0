/** Matrix products of decoders: weights packed once at load, activations quantized once for all the
 *  matrices that read them. The only place where these kernels' shapes are checked. Offsets are
 *  bytes into linear memory. A breach is a bug and throws. Layouts: docs/kernels-decoder.md. */
import { assert } from "../errors.ts";
import { LINEAR_MEMORY_BYTES_MAX } from "../limits.ts";
import { Arena } from "./arena.ts";
import { type Choice, fastestOf } from "./self-timing.ts";
import { TENSOR_TYPES, type TensorType } from "./tensor-types.ts";

/** Rows of a matrix that lie interleaved. */
export const PANEL_ROWS = 16;

/** How 4-bit weights meet activations; results are equal to the last bit. "relaxed_i16" adds pairs
 *  in i16 (vpmaddubsw), "relaxed_i32" quads in i32 (vpdpbusd, sdot); "plain" has no relaxed dot. */
export type MatmulVariant = "plain" | "relaxed_i16" | "relaxed_i32";

/** W [n, k]: n outputs of k inputs, resident. */
export interface Matrix {
  readonly type: TensorType;
  readonly n: number;
  readonly k: number;
  readonly at: number; // the panels
  readonly mins: number; // f32 panels of the affine types' mins [n, k / 32]; 0 for the others
}

/** Rows of x, quantized into the forms that some types need. Valid as long as the memory that they
 *  were put at. */
export interface Activations {
  readonly m: number;
  readonly k: number;
  readonly x: number; // f32 [m, k]
  readonly tiled: boolean; // rows are interleaved by fours, for the GEMMs
  readonly forNibbles: { q: number; d: number; zeros: number; offsets: number }; // 8 bits
  readonly forBytes: { q: number; d: number }; // 14 bits
  readonly sums: number; // f32 [m, k / 32], group_sums_f32
  readonly scratch: number;
}

/** Rows of x from which on weights are expanded for tiles of 4 rows; fewer are GEMVs. */
const TILED_ROWS_MIN = 4;

/** Largest |q| of activations that meet nibbles (see gemv_q4.ts) and of those that meet bytes. */
const QMAX_NIBBLES = 127;
const QMAX_BYTES = 8191;

/** How a quantized type is resident. */
interface Packing {
  id: number; // ggml's number of the type
  quants: "nibbles" | "bytes";
  scales: "f16" | "f32";
  group: 16 | 32;
  affine: boolean; // has mins
  elements: number; // of a block in the file
  bytes: number;
}

const FLOAT_BITS: Partial<Record<TensorType, number>> = { F32: 32, F16: 16, BF16: 0 };
const NIBBLES: readonly TensorType[] = ["Q4_0", "Q4_1", "Q4_K"];
const HALVES: readonly TensorType[] = ["Q4_0", "Q5_0", "Q8_0"];
const AFFINE: readonly TensorType[] = ["Q4_1", "Q5_1", "Q4_K", "Q5_K"];

const PACKINGS = new Map<TensorType, Packing>(
  Array.from(TENSOR_TYPES, ([id, { name, elements, bytes }]): [TensorType, Packing] => [
    name,
    {
      id,
      quants: NIBBLES.includes(name) ? "nibbles" : "bytes",
      scales: HALVES.includes(name) ? "f16" : "f32",
      group: name === "Q6_K" ? 16 : 32,
      affine: AFFINE.includes(name),
      elements,
      bytes,
    },
  ]),
);

const packingOf = (type: TensorType) => PACKINGS.get(type)!;
const isFloat = (type: TensorType) => FLOAT_BITS[type] !== undefined;
const panelsOf = (n: number) => Math.ceil(n / PANEL_ROWS);

/** Bytes of the panels alone. */
function panelBytes(type: TensorType, n: number, k: number): number {
  if (isFloat(type)) return panelsOf(n) * PANEL_ROWS * k * 4;
  const { quants, scales, group } = packingOf(type);
  const scaleBytes = PANEL_ROWS * (scales === "f16" ? 2 : 4);
  const quantBytes = (PANEL_ROWS * group) / (quants === "nibbles" ? 2 : 1);
  return panelsOf(n) * (k / group) * (scaleBytes + quantBytes);
}

/** Bytes that a Matrix takes in linear memory: 4 a weight for F32, F16 and BF16; for 32 weights 18
 *  of Q4_0, 34 of Q8_0 and Q5_0, 24 of Q4_1 and Q4_K, 40 of Q5_1, Q5_K and Q6_K. */
export function matrixBytes(type: TensorType, n: number, k: number): number {
  const mins = packingOf(type).affine ? panelsOf(n) * PANEL_ROWS * (k / 32) * 4 : 0;
  return panelBytes(type, n, k) + mins;
}

/** Bytes of a row of the file. */
export function rowBytes(type: TensorType, k: number): number {
  const { elements, bytes } = packingOf(type);
  return (k / elements) * bytes;
}

const aligned = (bytes: number) => Math.ceil(bytes / 16) * 16;

/** Bytes for `activations` of f32 [m, k], whatever the types: about (4.6 m + 18) k. */
export function activationBytes(m: number, k: number): number {
  const padded = Math.ceil(m / 4) * 4 * k;
  return 2 * aligned(2 * padded) + 5 * aligned(padded / 8) + 18 * aligned(k);
}

/** See wasm-kernels/relaxed_probe.ts. */
const PROBE_SATURATES = 65_534;

/** What the variants are timed on: one row by 512 KB of weights, about 0.03 ms. */
const TIMED = { m: 1, n: 512, k: 2048 };

export class MatmulKernels extends Arena {
  #choice: Choice<MatmulVariant>;

  protected constructor(module: WebAssembly.Module, bytesMax: number, variant?: MatmulVariant) {
    super(module, bytesMax);
    this.#choice = { name: variant ?? "plain", by: "named" };
    if (variant === undefined) this.#choice = this.#fastest();
  }

  /** Instantiates build/kernels.wasm with a memory of its own, which grows up to `bytesMax`. The
   *  variant is the faster one on this machine unless named, which takes about 25 ms to find. */
  static create(
    module: WebAssembly.Module,
    options?: { bytesMax?: number; variant?: MatmulVariant },
  ): MatmulKernels {
    const bytesMax = options?.bytesMax ?? LINEAR_MEMORY_BYTES_MAX;
    return new MatmulKernels(module, bytesMax, options?.variant);
  }

  get variant(): MatmulVariant {
    return this.#choice.name;
  }

  /** The variant in use, and how it was chosen. */
  get choice(): Choice<MatmulVariant> {
    return this.#choice;
  }

  /** By time where the clock moves, else by what the relaxed dot makes of operands out of range. */
  #fastest(): Choice<MatmulVariant> {
    const { m, n, k } = TIMED;
    const mark = this.mark();
    const w = this.allocMatrix("Q4_0", n, k);
    this.u8(w.at, matrixBytes("Q4_0", n, k)).fill(0x1b); // nibbles 11 and 1, scales about 2^-8
    const x = this.alloc(m * k * 4);
    this.f32(x, m * k).fill(1);
    const [at, y] = [this.alloc(activationBytes(m, k)), this.alloc(m * n * 4)];
    const run = (name: MatmulVariant) => {
      this.#choice = { name, by: "named" };
      this.matmul(y, n, this.activations(at, x, m, k, ["Q4_0"]), w);
    };
    run("plain");
    const expected = this.f32(y, m * n).slice();
    const correct = () => this.f32(y, m * n).every((value, i) => value === expected[i]);
    const names: MatmulVariant[] = ["relaxed_i16", "relaxed_i32"];
    const contenders = names.map((name) => ({ name, run: () => run(name), correct }));
    const saturates = this.call("relaxed_probe") === PROBE_SATURATES;
    const choice = fastestOf(contenders, saturates ? "relaxed_i16" : "relaxed_i32");
    this.release(mark);
    return choice;
  }

  /** Room for W [n, k]; its contents are undefined until every row is packed. k is a multiple of
   *  the type's block. */
  allocMatrix(type: TensorType, n: number, k: number): Matrix {
    this.counts("allocMatrix", n, k);
    const { elements, affine } = packingOf(type);
    assert(k % elements === 0, `${type} rows of ${k} are no multiple of ${elements}`);
    const at = this.alloc(matrixBytes(type, n, k));
    return { type, n, k, at, mins: affine ? at + panelBytes(type, n, k) : 0 };
  }

  /** Packs `rows` rows as they lie in a GGUF file at `src`, a multiple of 4, as rows row0.. of w.
   *  row0 is a multiple of PANEL_ROWS; so is rows, unless they end the matrix. Half scales are
   *  finite: the caller has checked. */
  packMatrix(w: Matrix, src: number, row0: number, rows: number): void {
    const { type, n, k, at, mins } = w;
    this.counts("packMatrix", rows);
    const whole = rows % PANEL_ROWS === 0 || row0 + rows === n;
    const fits = Number.isInteger(row0) && row0 >= 0 && row0 + rows <= n;
    assert(fits && whole && row0 % PANEL_ROWS === 0, `packMatrix rows ${row0}+${rows} of ${n}`);
    this.range("packMatrix w", at, matrixBytes(type, n, k));
    this.range("packMatrix src", src, rows * rowBytes(type, k));
    if (isFloat(type)) this.call("pack_f32", at, src, FLOAT_BITS[type]!, row0, rows, k);
    else {
      const { id } = packingOf(type);
      this.call("pack_groups", at, mins, src, rowBytes(type, k), id, row0, rows, k);
    }
  }

  /** Quantizes x f32 [m, k] at `at`, activationBytes(m, k), once into every form that matrices of
   *  `types` need. A row that holds a NaN, an infinity or, for quantized types, a magnitude of 2^37
   *  or more gives results that are all NaN (for float types, not all finite). */
  activations(
    at: number,
    x: number,
    m: number,
    k: number,
    types: readonly TensorType[],
  ): Activations {
    this.counts("activations", m, k);
    this.range("activations at", at, activationBytes(m, k));
    this.range("activations x", x, m * k * 4);
    const quantized = types.filter((type) => !isFloat(type)).map(packingOf);
    assert(quantized.length === 0 || k % 32 === 0, `activations of ${k} are no multiple of 32`);
    const padded = Math.ceil(m / 4) * 4 * k;
    const [quants, groups] = [aligned(2 * padded), aligned(padded / 8)];
    const rest = at + 2 * quants;
    const a: Activations = {
      m,
      k,
      x,
      tiled: m >= TILED_ROWS_MIN || this.variant === "plain",
      forNibbles: { q: at, d: rest, zeros: rest + groups, offsets: rest + 2 * groups },
      forBytes: { q: at + quants, d: rest + 3 * groups },
      sums: rest + 4 * groups,
      scratch: rest + 5 * groups,
    };
    const affine = quantized.filter((packing) => packing.affine);
    if (quantized.some((packing) => packing.quants === "nibbles")) this.#quantizeForNibbles(a);
    if (quantized.some((packing) => packing.quants === "bytes")) {
      const { q, d } = a.forBytes;
      this.call("quantize_groups_i16", q, d, x, m, k, QMAX_BYTES, a.tiled ? 1 : 0);
    }
    if (affine.length > 0) this.call("group_sums_f32", a.sums, x, m, k);
    if (affine.some((packing) => packing.quants === "nibbles"))
      this.call("group_offsets_i32", a.forNibbles.offsets, x, m, k, a.tiled ? 1 : 0);
    return a;
  }

  #quantizeForNibbles({ x, m, k, tiled, forNibbles }: Activations): void {
    const { q, d, zeros } = forNibbles;
    const tiles = tiled ? 1 : 0;
    if (this.variant === "plain")
      this.call("quantize_groups_i16", q, d, x, m, k, QMAX_NIBBLES, tiles);
    else this.call("quantize_groups_i8", q, d, zeros, x, m, k, tiles);
  }

  /** y = a W^T, or y += a W^T with `add`: f32 [m, w.n], rows `stride` floats apart; y overlaps no
   *  input. W's type is one that `a` was made for. 2 m n k steps. */
  matmul(y: number, stride: number, a: Activations, w: Matrix, options?: { add?: boolean }): void {
    const { m, k } = a;
    const { type, n, at, mins } = w;
    assert(w.k === k, `matmul of [${m}, ${k}] with [${n}, ${w.k}]`);
    assert(stride >= n, `matmul stride ${stride} below ${n}`);
    this.range("matmul y", y, ((m - 1) * stride + n) * 4);
    this.range("matmul w", at, matrixBytes(type, n, k));
    const add = options?.add ? 1 : 0;
    if (isFloat(type)) {
      this.call("gemm_f32", y, stride * 4, a.x, at, m, n, k, add);
      return;
    }
    const { affine } = packingOf(type);
    if (a.tiled) this.#gemm(y, stride * 4, a, w, add);
    else this.#gemv(y, stride * 4, a, w, add);
    if (affine) this.call("gemm_f32", y, stride * 4, a.sums, mins, m, n, k / 32, 1);
  }

  #gemm(y: number, stride: number, a: Activations, w: Matrix, add: number): void {
    const { quants, scales, group } = packingOf(w.type);
    const half = scales === "f16" ? 1 : 0;
    const [nibbles, { m, k, scratch }] = [quants === "nibbles" ? 1 : 0, a];
    if (nibbles && this.variant !== "plain") {
      const { q, d } = a.forNibbles;
      const offsets = half ? a.forNibbles.zeros : a.forNibbles.offsets;
      const kernel = `gemm_q4_${this.variant}`;
      this.call(kernel, y, stride, q, d, offsets, w.at, scratch, m, w.n, k, half, add);
    } else {
      const { q, d } = nibbles ? a.forNibbles : a.forBytes;
      const shape = [m, w.n, k, half, nibbles, group / 4];
      const offsets = nibbles && !half ? a.forNibbles.offsets : 0; // expanding takes 8 off for f16
      this.call("gemm_i16", y, stride, q, d, offsets, w.at, scratch, ...shape, add);
    }
  }

  #gemv(y: number, stride: number, a: Activations, w: Matrix, add: number): void {
    const { quants, scales, group } = packingOf(w.type);
    const half = scales === "f16" ? 1 : 0;
    if (quants === "nibbles") {
      const { q, d } = a.forNibbles;
      const offsets = half ? a.forNibbles.zeros : a.forNibbles.offsets;
      const kernel = `gemv_q4_${this.variant}`;
      this.call(kernel, y, stride, q, d, offsets, w.at, a.m, w.n, w.k, half, add);
    } else {
      const { q, d } = a.forBytes;
      const sixteen = group === 16 ? 1 : 0;
      this.call("gemv_q8", y, stride, q, d, w.at, a.m, w.n, w.k, half, sixteen, add);
    }
  }

  /** y f32 [ids.length, k] = rows `ids` of w, as src/model/dequantize.ts would give them. */
  dequantizeRows(y: number, w: Matrix, ids: readonly number[]): void {
    const { type, n, k, at, mins } = w;
    this.range("dequantizeRows w", at, matrixBytes(type, n, k));
    if (ids.length > 0) this.range("dequantizeRows y", y, ids.length * k * 4);
    const { quants, scales, group } = packingOf(type);
    const [half, nibbles] = [scales === "f16" ? 1 : 0, quants === "nibbles" ? 1 : 0];
    for (const [i, id] of ids.entries()) {
      assert(Number.isInteger(id) && id >= 0 && id < n, `dequantizeRows of row ${id} of ${n}`);
      const to = y + i * k * 4;
      if (isFloat(type)) this.call("gather_row_f32", to, at, id, k);
      else this.call("dequantize_row", to, at, mins, id, k, half, nibbles, group / 4);
    }
  }
}
