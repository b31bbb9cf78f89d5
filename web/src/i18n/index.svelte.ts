import { fill, plural, type Values } from '$/lib/text';
import { spelled } from '$/lib/kinds';
import { kept } from '$/app/kept';
import { en, type Key } from './en';
import { de } from './de';

export type { Key };

/** The languages of the console. dir is the direction of writing; everything is laid out by logical sides, so a language that runs right to left needs its texts and its row here. */
export const languages = {
  en: { name: 'English', dir: 'ltr', texts: en as Record<Key, string> },
  de: { name: 'Deutsch', dir: 'ltr', texts: de },
} as const;

export type Language = keyof typeof languages;

const store = kept<string>('language', '');

function preferred(): Language {
  for (const wish of [store.get(), ...navigator.languages]) {
    const code = wish.slice(0, 2).toLowerCase();
    if (code in languages) return code as Language;
  }
  return 'en';
}

class I18n {
  language = $state<Language>(preferred());
  rules = $derived(new Intl.PluralRules(this.language));
  /** How numbers and times are written where this person is, in the chosen language. Clocks have 24 hours. */
  locale = $derived(navigator.languages.find((l) => l.startsWith(this.language + '-')) ?? this.language);
  numbers = $derived(new Intl.NumberFormat(this.locale));
  dates = $derived(new Intl.DateTimeFormat(this.locale, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' }));
  exact = $derived(new Intl.DateTimeFormat(this.locale, { dateStyle: 'full', timeStyle: 'long', timeZone: 'UTC', hourCycle: 'h23' }));
  spans = $derived(new Intl.RelativeTimeFormat(this.locale, { numeric: 'auto', style: 'short' }));

  choose(language: Language) {
    this.language = language;
    store.set(language);
    this.apply();
  }

  apply() {
    document.documentElement.lang = this.language;
    document.documentElement.dir = languages[this.language].dir;
  }
}

export const i18n = new I18n();

/** The text of that key in the chosen language. With n, the form for that number, and {n} is the number as it is written there. */
export function t(key: Key, values?: Values): string {
  const text = languages[i18n.language].texts[key];
  if (values && typeof values.n === 'number') {
    return fill(plural(text, values.n, i18n.rules), { ...values, n: i18n.numbers.format(values.n) });
  }
  return fill(text, values);
}

/** The text of a key that is made of data, such as type.indicator; where there is none, the other text. */
export function tOr(key: string, other: string, values?: Values): string {
  return key in en ? t(key as Key, values) : other;
}

export function number(n: number): string {
  return i18n.numbers.format(n);
}

/** What a type of objects is called. */
export function typeName(type: string): string {
  return tOr('type.' + type, spelled(type));
}

/** A time by the clock, in the chosen language. */
export function time(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : i18n.dates.format(date);
}
