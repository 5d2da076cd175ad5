/** @file The page. */
import './style.css';
import { render } from 'preact';
import { Shell } from './views/shell.tsx';

render(<Shell />, document.querySelector('#app')!);
