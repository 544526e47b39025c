// Registering a dataset: described, encrypted and signed in the owner's browser.
export { RegisterPage } from './RegisterPage';
