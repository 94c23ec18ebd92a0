/** When a router calibrates by itself: by how many labels came, never by what they say. */

/** Of the reader's labels by these weights, those of the sample that have a verdict. */
export interface LabelCount {
  weights_version: string;
  /** How many had come at the last automatic calibration; 0 before the first. */
  labels: number;
  /** How many came, those that are no longer kept too: the number of the kept ones stands still
   *  at LABELS_KEPT_MAX. Absent in what was stored before it was counted. */
  came?: number;
}

/** The count with one more label, which is among the `kept` already. One by other weights, or
 *  without `came`, goes on from their number. */
export function countLabel(
  before: LabelCount | null,
  weights_version: string,
  kept: () => number,
): Required<LabelCount> {
  const known = before?.weights_version === weights_version ? before : null;
  const came = known?.came === undefined ? kept() : known.came + 1;
  return { weights_version, labels: Math.min(known?.labels ?? 0, came - 1), came };
}

/** Whether there are enough for the first calibration, or enough more for the next. */
export function isCalibrationDue(
  { labels, came }: Required<LabelCount>,
  { labelsMin, labelsStep }: { labelsMin: number; labelsStep: number },
): boolean {
  return came >= labelsMin && came >= labels + labelsStep;
}
