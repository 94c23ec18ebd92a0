/** A filter over a document's metadata, in the shape of the HTTP contract. */
export type FilterValue = string | number | boolean | null;

export interface FieldTest {
  eq?: FilterValue;
  ne?: FilterValue;
  in?: FilterValue[];
  nin?: FilterValue[];
  gt?: number | string;
  gte?: number | string;
  lt?: number | string;
  lte?: number | string;
  exists?: boolean;
  prefix?: string;
}

export type Filter =
  | { and: Filter[] }
  | { or: Filter[] }
  | { not: Filter }
  | { [field: string]: FilterValue | FieldTest };
