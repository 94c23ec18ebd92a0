/** Asking all shards at once: a tree of objects with at most SHARD_FANOUT calls a node. */
import { codeOf, ERROR_CODES, ServiceError } from "../errors.ts";
import { SHARD_FANOUT } from "../limits.ts";
import { addStatistics, mergeCandidates } from "./merge-candidates.ts";
import type {
  CandidateList,
  CandidateRequest,
  CorpusStatistics,
  Gatherer,
  ShownPassage,
  ShowRequest,
} from "./shard-types.ts";

/** A shard to ask: its place in the map, and its object; null: the root's own tables. */
export interface Leaf {
  shard: number;
  object: string | null;
}

/** What can be asked of all shards, and how answers become one. */
export type Question =
  | { kind: "statistics"; terms: string[] }
  | { kind: "candidates"; request: CandidateRequest }
  | { kind: "show"; wanted: { shard: number; request: ShowRequest }[] };

export type Answer =
  | { kind: "statistics"; statistics: CorpusStatistics }
  | { kind: "candidates"; list: CandidateList }
  | { kind: "show"; shown: { shard: number; passages: (ShownPassage | null)[] }[] };

export interface Gathered {
  answer: Answer;
  /** Places in the map of shards that did not answer. */
  missing: number[];
}

/** What of a shard takes part in a search. */
export interface SearchedShard {
  statistics(terms: string[]): CorpusStatistics;
  candidates(request: CandidateRequest): CandidateList | Promise<CandidateList>;
  /** Those of the passages that are still there. */
  show(request: ShowRequest): ShownPassage[];
}

/** How a node of the tree reaches others. */
export interface GatherNode {
  /** The node's own object. */
  object: string | null;
  shard(): SearchedShard;
  /** Has another object gather for these leaves, of which the first is its own. */
  ask(object: string, leaves: Leaf[], question: Question, deadlineMs: number): Promise<Gathered>;
}

/** At most `width` runs of neighbours, their lengths differing by at most one. */
export function groupsOf<T>(items: readonly T[], width: number): T[][] {
  const n = Math.min(width, items.length);
  const cut = (i: number) => Math.floor((items.length * i) / n);
  return Array.from({ length: n }, (_, i) => items.slice(cut(i), cut(i + 1)));
}

/** Answers for the leaves: this node's own shard at once, the others in at most SHARD_FANOUT groups
 *  through the first object of each. Where that fails, the rest of the group is asked without it;
 *  one that outlasts the deadline is missing with its whole group. An error that is the question's
 *  fault is thrown. */
export async function gather(
  node: GatherNode,
  leaves: readonly Leaf[],
  question: Question,
  deadlineMs: number,
): Promise<Gathered> {
  const own = leaves.filter(({ object }) => object === node.object);
  const groups = groupsOf(
    leaves.filter(({ object }) => object !== node.object),
    SHARD_FANOUT,
  );
  const asked = groups.map(async (group): Promise<Gathered> => {
    const first = group[0]!.object!;
    try {
      const call = node.ask(first, group, questionFor(question, group), (deadlineMs * 3) / 4);
      return await within(call, deadlineMs);
    } catch (error) {
      const code = codeOf(error);
      if (code !== null && ERROR_CODES[code].status < 500) throw error;
      const late = error instanceof LateError;
      const rest = late ? [] : group.slice(1);
      const lost = (late ? group : group.slice(0, 1)).map(({ shard }) => shard);
      const others = await gather(node, rest, question, deadlineMs);
      return { answer: others.answer, missing: [...lost, ...others.missing] };
    }
  });
  const mine = own.map(async (leaf): Promise<Gathered> => {
    return { answer: await answerOfShard(node.shard(), leaf, question), missing: [] };
  });
  const all = await allOver([...mine, ...asked]);
  return {
    answer: answerOf(
      question,
      all.map(({ answer }) => answer),
    ),
    missing: all.flatMap(({ missing }) => missing),
  };
}

/** Results once all are over; where some failed it throws the first failure. */
async function allOver<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** The question as far as it concerns a group. */
function questionFor(question: Question, group: readonly Leaf[]): Question {
  if (question.kind !== "show") return question;
  const shards = new Set(group.map(({ shard }) => shard));
  return { kind: "show", wanted: question.wanted.filter(({ shard }) => shards.has(shard)) };
}

async function answerOfShard(
  own: SearchedShard,
  { shard }: Leaf,
  question: Question,
): Promise<Answer> {
  if (question.kind === "statistics")
    return { kind: "statistics", statistics: own.statistics(question.terms) };
  if (question.kind === "candidates") {
    const list = await own.candidates(question.request);
    return { kind: "candidates", list: { ...list, shard: list.shard.fill(shard) } };
  }
  const mine = question.wanted.filter((wanted) => wanted.shard === shard);
  return {
    kind: "show",
    shown: mine.map(({ request }) => ({ shard, passages: inOrder(request, own.show(request)) })),
  };
}

function inOrder({ passages }: ShowRequest, shown: ShownPassage[]): (ShownPassage | null)[] {
  const byRow = new Map(shown.map((passage) => [passage.passage, passage]));
  return passages.map((row) => byRow.get(row) ?? null);
}

function answerOf(question: Question, parts: readonly Answer[]): Answer {
  if (question.kind === "statistics") {
    const statistics = parts.flatMap((part) =>
      part.kind === "statistics" ? [part.statistics] : [],
    );
    return {
      kind: "statistics",
      statistics: addStatistics(statistics, question.terms.length),
    };
  }
  if (question.kind === "candidates") {
    const lists = parts.flatMap((part) => (part.kind === "candidates" ? [part.list] : []));
    return { kind: "candidates", list: mergeCandidates(lists, question.request) };
  }
  return {
    kind: "show",
    shown: parts.flatMap((part) => (part.kind === "show" ? part.shown : [])),
  };
}

class LateError extends Error {}

async function within<T>(call: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(`no answer in ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The face of a namespace's shards for one search. Where a shard does not answer it throws
 *  `shard_unavailable`, unless `partial` allows answers without it. */
export class ShardGatherer implements Gatherer {
  readonly #node: GatherNode;
  readonly #leaves: readonly Leaf[];
  readonly #partial: boolean;
  readonly #deadlineMs: number;
  readonly #missing = new Set<number>();
  /** How many passages were gone when they were to be shown. */
  lost = 0;

  constructor(node: GatherNode, leaves: readonly Leaf[], partial: boolean, deadlineMs: number) {
    this.#node = node;
    this.#leaves = leaves;
    this.#partial = partial;
    this.#deadlineMs = deadlineMs;
  }

  /** How many shards there are and how many did not answer; null where all did. */
  get partial(): { shards: number; missing: number } | null {
    if (this.#missing.size === 0) return null;
    return { shards: this.#leaves.length, missing: this.#missing.size };
  }

  async statistics(terms: string[]): Promise<CorpusStatistics> {
    const answer = await this.#ask({ kind: "statistics", terms });
    return (answer as Extract<Answer, { kind: "statistics" }>).statistics;
  }

  async candidates(request: CandidateRequest): Promise<CandidateList> {
    const answer = await this.#ask({ kind: "candidates", request });
    return (answer as Extract<Answer, { kind: "candidates" }>).list;
  }

  async show(wanted: { shard: number; request: ShowRequest }[]): Promise<(ShownPassage | null)[]> {
    const shards = new Set(wanted.map(({ shard }) => shard));
    const concerned = this.#leaves.filter(({ shard }) => shards.has(shard));
    const answer = await this.#ask({ kind: "show", wanted }, concerned);
    const { shown } = answer as Extract<Answer, { kind: "show" }>;
    const byShard = new Map<number, (ShownPassage | null)[][]>();
    for (const { shard, passages } of shown) {
      const known = byShard.get(shard);
      if (known === undefined) byShard.set(shard, [passages]);
      else known.push(passages);
    }
    return wanted.flatMap(({ shard, request }) => {
      const passages = byShard.get(shard)?.shift();
      this.lost += passages?.filter((passage) => passage === null).length ?? 0;
      return passages ?? request.passages.map(() => null);
    });
  }

  /** A shard that missed one question is not asked another: its statistics would lack. */
  async #ask(question: Question, concerned = this.#leaves): Promise<Answer> {
    const leaves = concerned.filter(({ shard }) => !this.#missing.has(shard));
    const { answer, missing } = await gather(this.#node, leaves, question, this.#deadlineMs);
    for (const shard of missing) this.#missing.add(shard);
    if (this.#missing.size > 0 && !this.#partial)
      throw new ServiceError(
        "shard_unavailable",
        `${this.#missing.size} of ${this.#leaves.length} shards do not answer`,
      );
    return answer;
  }
}
