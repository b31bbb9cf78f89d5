package api

// findingRoutes are search and the graph.
var findingRoutes []Route
