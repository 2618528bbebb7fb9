// Keeps Stryker from changing the words of errors: tests name the class, the code and what a message must say, not all of it.

import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

/** Functions that make an error of their words. */
const MAKERS = /^(?:\w*Error|refused|corrupt|damaged|tooLarge)$/;

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, "messages", {
    shouldIgnore(path) {
      if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined;
      const call = path.findParent(
        (parent) => parent.isNewExpression() || parent.isCallExpression() || parent.isFunction(),
      );
      const callee = call?.node.callee;
      return callee?.type === "Identifier" && MAKERS.test(callee.name) ? "words of an error" : undefined;
    },
  }),
];
