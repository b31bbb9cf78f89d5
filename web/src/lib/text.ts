/** Fills {name} in a text. What is missing stays as it is written, so that a mistake is seen. */
export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

export type Values = Record<string, string | number>;

/** Chooses between "one thing|{n} things" by the language's rules for numbers. A text with a single form is used for every number. */
export function plural(text: string, n: number, rules: Intl.PluralRules): string {
  const forms = text.split('|');
  const one = forms[0] ?? text;
  return rules.select(n) === 'one' ? one : (forms[1] ?? one);
}
