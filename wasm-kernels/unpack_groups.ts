import { load_low_nibbles } from "./panel";

/** One group of 32 (q6_k: 16) quants of a GGUF row, unpacked to bytes at GROUP, with its scale and
 *  min, for the packers. The layouts stand in src/model/dequantize.ts. */

/** Where the quants of the group lie after unpack_group: u8, or i8 for the symmetric int8 types. */
export const GROUP: usize = memory.data(32, 16);

/** The number that ggml gives a type. */
export const Q4_0: i32 = 2;
export const Q4_1: i32 = 3;
export const Q5_0: i32 = 6;
export const Q5_1: i32 = 7;
export const Q8_0: i32 = 8;
export const Q4_K: i32 = 12;
export const Q5_K: i32 = 13;
export const Q6_K: i32 = 14;

/** A half float's value; exact, subnormals included; finite input. */
// @ts-ignore: decorator
@inline
export function f16_to_f32(h: u32): f32 {
  const magnitude = reinterpret<f32>((h & 0x7fff) << 13) * <f32>5.192296858534828e33; // 2^112
  return h & 0x8000 ? -magnitude : magnitude;
}

/** The scale of the group that unpack_group has left, f32. */
export let group_d: f32 = 0;
/** Its min, which is added: w = d q + min. */
export let group_min: f32 = 0;
/** The scale as the half float that the file holds, for the types that have one a group. */
export let group_f16: u32 = 0;

/** Group `g` of the row at `row`. */
export function unpack_group(type: i32, row: usize, g: i32): void {
  if (type == Q8_0) unpack_q8_0(row + <usize>(g * 34));
  else if (type == Q4_0) unpack_5(row + <usize>(g * 18), 2, 0);
  else if (type == Q4_1) unpack_5(row + <usize>(g * 20), 4, 0);
  else if (type == Q5_0) unpack_5(row + <usize>(g * 22), 2, 16);
  else if (type == Q5_1) unpack_5(row + <usize>(g * 24), 4, 16);
  else if (type == Q4_K) unpack_k(row + <usize>((g >> 3) * 144), g & 7, 0);
  else if (type == Q5_K) unpack_k(row + <usize>((g >> 3) * 176), g & 7, 32);
  else unpack_q6_k(row + <usize>((g >> 4) * 210), g & 15);
}

function unpack_q8_0(block: usize): void {
  group_f16 = load<u16>(block);
  v128.store(GROUP, v128.load(block, 2));
  v128.store(GROUP, v128.load(block, 18), 16);
}

/** The 32-blocks of 4 and 5 bits: { d; m if head == 4; high u32 if high == 16; nibbles [16] }.
 *  q5_0's quants are made signed; q4_0's keep their offset of 8. */
function unpack_5(block: usize, head: usize, high: i32): void {
  group_f16 = load<u16>(block);
  group_d = f16_to_f32(group_f16);
  group_min = head == 4 ? f16_to_f32(load<u16>(block, 2)) : 0;
  if (!high) {
    split_nibbles(block + head);
    return;
  }
  const bits = load<u32>(block + head);
  const offset: u32 = head == 2 ? 16 : 0;
  for (let b: u32 = 0; b < 16; b++) {
    const byte: u32 = load<u8>(block + head + 4 + b);
    store<u8>(GROUP + b, ((byte & 15) | (((bits >> b) & 1) << 4)) - offset);
    store<u8>(GROUP + b, ((byte >> 4) | (((bits >> (b + 16)) & 1) << 4)) - offset, 16);
  }
}

/** 16 bytes at `at`: first the low nibbles, then the high ones. */
// @ts-ignore: decorator
@inline
function split_nibbles(at: usize): void {
  const low = load_low_nibbles();
  const v = v128.load(at);
  v128.store(GROUP, v128.and(v, low));
  v128.store(GROUP, v128.and(i16x8.shr_u(v, 4), low), 16);
}

/** Group g of the 8 in a q4_k (high == 0) or q5_k block, whose qh takes `high` bytes. */
function unpack_k(block: usize, g: u32, high: usize): void {
  const scales = block + 4;
  let scale: u32, min: u32;
  if (g < 4) {
    scale = load<u8>(scales + g) & 63;
    min = load<u8>(scales + g, 4) & 63;
  } else {
    const low: u32 = load<u8>(scales + g, 4);
    scale = (low & 15) | (<u32>(load<u8>(scales + g - 4) >> 6) << 4);
    min = (low >> 4) | (<u32>(load<u8>(scales + g) >> 6) << 4);
  }
  group_d = f16_to_f32(load<u16>(block)) * <f32>scale;
  group_min = -f16_to_f32(load<u16>(block, 2)) * <f32>min;
  const qs = block + 16 + high + ((g >> 1) << 5);
  const shift = (g & 1) << 2;
  for (let b: usize = 0; b < 32; b++) {
    const fifth = high ? ((<u32>load<u8>(block + b, 16) >> g) & 1) << 4 : 0;
    store<u8>(GROUP + b, ((<u32>load<u8>(qs + b) >> shift) & 15) | fifth);
  }
}

/** Group g of the 16 of 16 in a q6_k block, made signed. */
function unpack_q6_k(block: usize, g: u32): void {
  const part = g >> 3;
  const k = (g >> 1) & 3;
  const b = (g & 1) << 4;
  const ql = block + (part << 6) + ((k & 1) << 5) + b;
  const qh = block + 128 + (part << 5) + b;
  const shift = (k >> 1) << 2;
  for (let i: usize = 0; i < 16; i++) {
    const low = (<u32>load<u8>(ql + i) >> shift) & 15;
    const high = (<u32>load<u8>(qh + i) >> (k << 1)) & 3;
    store<u8>(GROUP + i, (low | (high << 4)) - 32);
  }
  group_d = f16_to_f32(load<u16>(block, 208)) * <f32>load<i8>(block + 192 + g);
  group_min = 0;
}
