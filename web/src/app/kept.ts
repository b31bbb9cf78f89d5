/** A choice that stays in this browser. A browser that keeps nothing is no failure. */
export function kept<T>(name: string, fallback: T): { get(): T; set(value: T): void } {
  const key = `entente.${name}`;
  return {
    get() {
      try {
        const text = localStorage.getItem(key);
        return text === null ? fallback : (JSON.parse(text) as T);
      } catch {
        return fallback;
      }
    },
    set(value: T) {
      try {
        localStorage.setItem(key, JSON.stringify(value));
      } catch {
        return;
      }
    },
  };
}
