/** A data set of Workers Analytics Engine by its documented limits
 *  (developers.cloudflare.com/analytics/analytics-engine/limits, of April 2026), strictly: what the
 *  platform would drop without a word throws. One double stands for one invocation. */
const BLOBS_MAX = 20;
const DOUBLES_MAX = 20;
const INDEXES_MAX = 1;
const BLOBS_BYTES_MAX = 16 * 1024;
const INDEX_BYTES_MAX = 96;
const POINTS_MAX = 250;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

export class AnalyticsDouble implements AnalyticsEngineDataset {
  readonly points: AnalyticsEngineDataPoint[] = [];

  writeDataPoint(point: AnalyticsEngineDataPoint = {}): void {
    const { indexes = [], blobs = [], doubles = [] } = point;
    if (indexes.length > INDEXES_MAX) throw new Error(`${indexes.length} indexes`);
    if (blobs.length > BLOBS_MAX) throw new Error(`${blobs.length} blobs`);
    if (doubles.length > DOUBLES_MAX) throw new Error(`${doubles.length} doubles`);
    for (const text of [...indexes, ...blobs])
      if (typeof text !== "string") throw new Error(`${text} is no text`);
    for (const number of doubles)
      if (!Number.isFinite(number)) throw new Error(`${number} is no finite number`);
    const bytes = blobs.reduce((sum, blob) => sum + bytesOf(blob as string), 0);
    if (bytes > BLOBS_BYTES_MAX) throw new Error(`blobs of ${bytes} bytes`);
    for (const text of indexes)
      if (bytesOf(text as string) > INDEX_BYTES_MAX) throw new Error("an index is too long");
    if (this.points.length >= POINTS_MAX) throw new Error("too many points of one invocation");
    this.points.push(point);
  }
}
