import type { Cell } from "./cell.ts";

export function platformCells(): Cell[] {
  return [];
}
