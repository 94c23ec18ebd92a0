import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findRefused, readPackages } from "../../scripts/licences.ts";

const lock = readFileSync("package-lock.json", "utf8");

it("what is deployed has a permissive licence, and everything has one", () => {
  const packages = readPackages(lock);
  expect(packages.length).toBeGreaterThan(100);
  expect(packages.filter(({ dev }) => !dev).length).toBeGreaterThan(10);
  expect(findRefused(packages)).toEqual([]);
});

it("a copyleft licence is refused where it would be deployed, and none anywhere", () => {
  const locked = (license: string | undefined, dev: boolean) =>
    findRefused(readPackages(JSON.stringify({ packages: { "node_modules/a": { license, dev } } })));
  expect(locked("GPL-3.0-only", false)).toHaveLength(1);
  expect(locked("GPL-3.0-only", true)).toHaveLength(0);
  expect(locked("GPL-3.0-only OR MIT", false)).toHaveLength(0);
  expect(locked(undefined, true)).toHaveLength(1);
});

it("a new script at installation is noticed", () => {
  const { packages } = JSON.parse(lock) as {
    packages: Record<string, { hasInstallScript?: boolean; dev?: boolean }>;
  };
  const scripted = Object.entries(packages).filter(([, one]) => one.hasInstallScript && !one.dev);
  // It warns of how versions are named. Nothing needs it: docs/security.md.
  expect(scripted.map(([path]) => path)).toEqual(["node_modules/protobufjs"]);
});

it("every package that another one asks for is there: `npm ci` takes no other lock file", () => {
  type Locked = Partial<Record<"dependencies" | "optionalDependencies", Record<string, string>>>;
  const { packages } = JSON.parse(lock) as { packages: Record<string, Locked> };
  const isThere = (name: string, from: string): boolean => {
    if (`${from}${from === "" ? "" : "/"}node_modules/${name}` in packages) return true;
    return (
      from !== "" && isThere(name, from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))))
    );
  };
  const lacking = Object.entries(packages).flatMap(([path, one]) =>
    Object.keys({ ...one.dependencies, ...one.optionalDependencies })
      .filter((name) => !isThere(name, path))
      .map((name) => `${path}: ${name}`),
  );
  expect(lacking).toEqual([]);
});
