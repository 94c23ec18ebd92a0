/** The same function, which makes a thing once for each object and not for each request: bindings
 *  and configurations live as long as their isolate. */
export function oncePer<Key extends object, Thing>(make: (key: Key) => Thing): (key: Key) => Thing {
  const made = new WeakMap<Key, Thing>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const thing = make(key);
    made.set(key, thing);
    return thing;
  };
}
