export const page = (greeting, path) => `${greeting} from JavaScript, at ${path}\n`;
