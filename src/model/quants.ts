/** Rows of GGUF tensors to f32 and to int8. Source of the formats: ggml's ggml-common.h. */
import { dequantize, halfToFloat } from "./dequantize.ts";
import { invalidModel, type TensorInfo } from "./gguf.ts";
import type { Panel } from "./gguf-stream.ts";

const Q8_0_BYTES = 34;

function notFinite(tensor: TensorInfo, row: number): Error {
  return invalidModel(`tensor ${tensor.name} holds a value that is not finite in row ${row}`);
}

/** Row `i` of the panel as f32 [cols] in `out`. Errors: invalid_model_file for a value that is not
 *  finite. */
export function dequantizeRow(panel: Panel, i: number, out: Float32Array): Float32Array {
  const { tensor, bytes } = panel;
  const { type, cols, rowBytes } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset + i * rowBytes, rowBytes);
  dequantize(type, view, out.subarray(0, cols));
  for (let j = 0; j < cols; j++)
    if (!Number.isFinite(out[j])) throw notFinite(tensor, panel.row + i);
  return out;
}

/** Every row of the panel as f32 [rows, cols] in `out`. Errors: as dequantizeRow. */
export function readFloats(panel: Panel, out: Float32Array): void {
  const { cols } = panel.tensor;
  for (let i = 0; i < panel.rows; i++) dequantizeRow(panel, i, out.subarray(i * cols));
}

/** Row `i` of the panel as int8 in [-127, 127] in `out`; its scale. Q8_0 whose blocks share one
 *  scale is copied unchanged; any other row is rounded to the nearest of max|x| / 127. */
export function rowToInt8(
  panel: Panel,
  i: number,
  out: Int8Array,
  dequantize: () => Float32Array,
): number {
  if (panel.tensor.type === "Q8_0") {
    const d = copyQuants(panel, i, out);
    if (d !== null) return d;
  }
  const row = dequantize();
  let max = 0;
  for (let j = 0; j < row.length; j++) max = Math.max(max, Math.abs(row[j]!));
  const d = Math.fround(max / 127);
  if (d === 0) out.fill(0);
  // The bounds bind only where d is subnormal and so itself coarsely rounded.
  else
    for (let j = 0; j < row.length; j++)
      out[j] = Math.max(-127, Math.min(127, Math.round(row[j]! / d)));
  return d;
}

/** Copies the quants and gives the scale, or null when the blocks differ in scale, a quant is -128,
 *  which the kernels do not take, or the scale is not finite, which dequantizing reports. */
function copyQuants({ tensor, bytes }: Panel, i: number, out: Int8Array): number | null {
  const start = i * tensor.rowBytes;
  const low = bytes[start]!;
  const high = bytes[start + 1]!;
  let j = 0;
  for (let at = start; at < start + tensor.rowBytes; at += Q8_0_BYTES) {
    if (bytes[at] !== low || bytes[at + 1] !== high) return null;
    for (let b = at + 2; b < at + Q8_0_BYTES; b++) {
      const quant = bytes[b]!;
      if (quant === 128) return null;
      out[j++] = quant;
    }
  }
  const d = halfToFloat(low | (high << 8));
  return Number.isFinite(d) ? d : null;
}
