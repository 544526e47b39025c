// Where the page starts.
import '@fontsource/inter/latin-400.css';
import '@fontsource/inter/latin-500.css';
import '@fontsource/inter/latin-600.css';
import '@fontsource/jetbrains-mono/latin-400.css';
import '@mantine/core/styles.css';
import './app/theme.css';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { restoreSession } from './lib/identity/session';

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root element');
void restoreSession();
createRoot(root).render(<App />);
