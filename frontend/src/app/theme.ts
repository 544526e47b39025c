// Paper and ink: the look of the whole page as a Mantine theme. Colours that are not Mantine's stand in theme.css.
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const teal: MantineColorsTuple = ['#e9f4f2', '#cfe6e3', '#a5d1cc', '#76bab3', '#4aa39b', '#2b8a83', '#17736d', '#0b5c5b', '#084a49', '#053736'];
const amber: MantineColorsTuple = ['#fdf5e4', '#f8e7c2', '#f0cf8a', '#e7b654', '#dd9f2b', '#c2851a', '#a36c10', '#85560a', '#684306', '#4c3003'];
const red: MantineColorsTuple = ['#fcefee', '#f6d5d3', '#eba9a5', '#de7b76', '#d0544f', '#b93a37', '#a12d2c', '#872323', '#6c1a1b', '#511213'];
const ink: MantineColorsTuple = ['#f6f3ec', '#e9e4d9', '#d5cec0', '#b3aca0', '#8d877d', '#6b665e', '#524e48', '#3a3734', '#282624', '#1b1a18'];
const dark: MantineColorsTuple = ['#ece8e1', '#cfcac1', '#aaa59b', '#847f77', '#4a4d52', '#33373c', '#262a2f', '#1c1f23', '#15171a', '#0e1012'];

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 7, dark: 6 },
  colors: { teal, amber, red, gray: ink, dark },
  white: '#ffffff',
  black: '#1c1b19',
  defaultRadius: 8,
  fontFamily: 'Inter, system-ui, sans-serif',
  fontFamilyMonospace: '"JetBrains Mono", ui-monospace, monospace',
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.625rem', lineHeight: '1.25' }, h2: { fontSize: '1.125rem', lineHeight: '1.4' }, h3: { fontSize: '1rem', lineHeight: '1.4' } } },
  fontSizes: { xs: '0.75rem', sm: '0.875rem', md: '0.9375rem', lg: '1.0625rem', xl: '1.25rem' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Modal: { defaultProps: { centered: true, radius: 8, padding: 'lg' }, styles: { title: { fontWeight: 600, fontSize: '1.0625rem' } } },
    Drawer: { defaultProps: { position: 'right', padding: 'lg' }, styles: { title: { fontWeight: 600, fontSize: '1.0625rem' } } },
    Table: { defaultProps: { verticalSpacing: 8, horizontalSpacing: 12 } },
    Tooltip: { defaultProps: { events: { hover: true, focus: true, touch: true }, openDelay: 150, withArrow: true } },
  },
});

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: { '--mantine-color-body': '#faf8f3', '--mantine-color-default-border': '#e0dacd', '--mantine-color-dimmed': '#6b665e', '--mantine-color-placeholder': '#6b665e', '--mantine-color-anchor': '#0b5c5b' },
  dark: { '--mantine-color-body': '#15171a', '--mantine-color-default-border': '#33373c', '--mantine-color-dimmed': '#a39e94', '--mantine-color-placeholder': '#a39e94', '--mantine-color-anchor': '#76bab3' },
});
