import { kept } from './kept';

export type Theme = 'system' | 'light' | 'dark';
export type Contrast = 'system' | 'more' | 'normal';

const theme = kept<Theme>('theme', 'system');
const contrast = kept<Contrast>('contrast', 'system');

/** How this person wants to see the console. It stays in the browser. */
class Prefs {
  theme = $state<Theme>(theme.get());
  contrast = $state<Contrast>(contrast.get());

  setTheme(value: Theme) {
    theme.set((this.theme = value));
    this.apply();
  }

  setContrast(value: Contrast) {
    contrast.set((this.contrast = value));
    this.apply();
  }

  apply() {
    const root = document.documentElement;
    if (this.theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = this.theme;
    const more = this.contrast === 'more' || (this.contrast === 'system' && matchMedia('(prefers-contrast: more)').matches);
    if (more) root.dataset.contrast = 'more';
    else delete root.dataset.contrast;
  }
}

export const prefs = new Prefs();
matchMedia('(prefers-contrast: more)').addEventListener('change', () => prefs.apply());
