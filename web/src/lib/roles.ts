/** The roles that an account can have. */
export const roles = ['admin', 'analyst', 'reader', 'publisher', 'auditor', 'officer', 'registrar', 'signatory', 'releaser', 'enforcer'] as const;

/** Words between commas or line ends, each once. */
export function wordsOf(text: string): string[] {
  return [...new Set(text.split(/[,\n]/).map((w) => w.trim()).filter(Boolean))];
}

const dayLong = 86_400;

/** Days as the seconds that the interface takes; nothing for an empty field. */
export function secondsOf(days: number | undefined): number | undefined {
  return days && days > 0 ? Math.round(days * dayLong) : undefined;
}
