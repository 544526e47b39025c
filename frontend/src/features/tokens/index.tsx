// API tokens: letting a program act as the person, within bounds.
export { TokensPage } from './TokensPage';
