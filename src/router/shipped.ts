/** The weights and the calibration set that a release brings. */
import file from "../../models/difficulty.json";
import { type DifficultyFile, type DifficultyModel, parseDifficultyModel } from "./difficulty.ts";

let parsed: DifficultyModel | null = null;

/** Parsed on the first call. */
export function shippedDifficulty(): DifficultyModel {
  parsed ??= parseDifficultyModel(file);
  return parsed;
}

export const SHIPPED_FILE: DifficultyFile = file;
