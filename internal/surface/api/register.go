package api

// registerRoutes are the own network and its constituents.
var registerRoutes []Route
