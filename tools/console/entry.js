// The parts of YASGUI that the console needs: its SPARQL 1.1 grammar, as a mode of CodeMirror, and CodeMirror itself.
import CodeMirror from "codemirror";
import "codemirror/addon/comment/comment.js";
import "codemirror/addon/display/placeholder.js";
import "codemirror/addon/edit/closebrackets.js";
import "codemirror/addon/edit/matchbrackets.js";
import "codemirror/addon/hint/show-hint.js";
import sparql11 from "@triply/yasqe/grammar/tokenizer.ts";
import "codemirror/lib/codemirror.css";
import "codemirror/addon/hint/show-hint.css";

CodeMirror.defineMode("sparql11", sparql11);
CodeMirror.defineMIME("application/sparql-query", "sparql11");

export { CodeMirror };
