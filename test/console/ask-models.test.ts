/** Which models the console's Ask view offers, of those that the service lists. */
import { expect, it } from "vitest";

/** The console is JavaScript, which tsc does not look into from here. */
const file = new URL("../../console/ask-models.js", import.meta.url).href;
const { OFFERED_MAX, offersOf } = await import(file);

const model = (kind: string) => (id: string) => ({ id, kind });
const idsOf = ({ routes }: { routes: [string, string][] }) => routes.map(([id]) => id);
const always = [model("router")("auto"), ...["edge", "brink-reader"].map(model("edge"))];

it("offered are the routes that there are, then backends and generators by name", () => {
  const backends = ["backend", "backend:main", "backend:spare"].map(model("backend"));
  const rest = [model("encoder")("mini"), model("reranker")("r"), model("generator")("tiny")];
  const offers = offersOf([...always, ...backends, ...rest]);
  expect(idsOf(offers)).toEqual(["auto", "edge", "backend"]);
  expect(offers.groups).toEqual([
    { label: "Backends", ids: ["backend:main", "backend:spare"], more: 0 },
    { label: "Generators", ids: ["tiny"], more: 0 },
  ]);
  expect(idsOf(offersOf(always))).toEqual(["auto", "edge"]);
  expect(idsOf(offersOf([]))).toEqual(["auto", "edge", "backend"]);
});

it("offered are so many of a kind at most, with how many more there are", () => {
  const names = Array.from({ length: OFFERED_MAX + 3 }, (_, i) => `g${i}`);
  const { groups } = offersOf([...always, ...names.map(model("generator"))]);
  expect(groups).toEqual([{ label: "Generators", ids: names.slice(0, OFFERED_MAX), more: 3 }]);
});
