import './styles/base.css';
import './styles/controls.css';
import { mount } from 'svelte';
import { prefs } from '$/app/prefs.svelte';
import { i18n } from '$/i18n/index.svelte';
import App from './App.svelte';

prefs.apply();
i18n.apply();
const target = document.getElementById('app');
if (target) mount(App, { target });
